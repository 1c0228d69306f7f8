"""Keys whose every write the cluster rejects, deletes included, are dead-lettered before they are acknowledged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynadex.change import Change
from dynadex.index.writer import Writer
from tests.unit.verify_stage import INDEX, FlakyIndex, Stage

SONG = {"id": {"S": "song-1"}, "title": {"S": "Drowsy Maggie"}}
REJECTION = {"status": 400, "error": {"type": "illegal_argument_exception", "reason": "not this one"}}


class _Rejecting(FlakyIndex):
    """Rejects every write."""

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        replies = super().bulk(index, body, timeout_seconds)
        return [dict.fromkeys(reply, REJECTION) for reply in replies]


def rejecting() -> Stage:
    stage = Stage()
    index = _Rejecting(stage.clock)
    index.create(INDEX, {"aliases": {"songs": {}, "songs-sync": {}}})
    stage.index, stage.writer = index, Writer(index, stage.clock)
    return stage


def test_scanned_item_whose_delete_is_rejected_is_dead_lettered() -> None:
    stage = rejecting()
    indexer = stage.runtime().indexer
    result = indexer.load(indexer.prepare_items([SONG], stage.clock.now_us()), float("inf"), [INDEX])
    assert (result.dead_lettered, result.applied, result.failed) == (1, 0, {})
    assert [letter.id for letter in stage.letters] == ["song-1"]


def test_stream_record_whose_delete_is_rejected_is_dead_lettered() -> None:
    stage = rejecting()
    key = {"id": SONG["id"]}
    changes = [Change(key, SONG, stage.clock.now_us(), "1"), Change({"id": {"S": "song-2"}}, None, 1, "2")]
    indexer = stage.runtime().indexer
    result = indexer.apply(indexer.prepare(changes), float("inf"))
    assert (result.dead_lettered, result.applied, result.failed) == (2, 0, {})
    assert sorted(letter.id for letter in stage.letters) == ["song-1", "song-2"]
