"""Items that no document can be built of are dead-lettered, however the crash or retry, and no others are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dynadex.change import Change
from dynadex.dead_letters.port import DeadLetterError
from tests.unit.verify_stage import Stage

SONG: dict[str, Any] = {"id": {"S": "song-1"}, "impossible": {"BOOL": True}}
KEY: dict[str, Any] = {"id": SONG["id"]}


def test_redelivered_record_is_dead_lettered_after_dead_lettering_failed() -> None:
    stage = Stage()
    stage.table.put(SONG)
    runtime = stage.runtime()
    indexer = runtime.indexer
    down = [True]

    def add(letters: Any) -> None:
        if down[0]:
            raise DeadLetterError("write dead letters to", "queue", "it is unavailable")
        stage.letters.extend(letters)

    indexer._dead_letters = cast(Any, SimpleNamespace(add=add))
    change = Change(KEY, SONG, stage.clock.now_us(), "7")
    first = indexer.apply(indexer.prepare([change]), float("inf"))
    assert first.failed
    down[0] = False
    second = indexer.apply(indexer.prepare([change]), float("inf"))
    assert not second.failed
    assert [letter.id for letter in stage.letters] == ["song-1"], second


def test_unbuildable_item_put_again_within_a_second_is_dead_lettered() -> None:
    stage = Stage()
    stage.table.put(SONG)
    indexer = stage.runtime().indexer
    now = stage.clock.now_us()
    indexer.apply(indexer.prepare([Change(KEY, None, now, "7")]), float("inf"))
    result = indexer.apply(indexer.prepare([Change(KEY, SONG, now, "8")]), float("inf"))
    assert [letter.id for letter in stage.letters] == ["song-1"], result


def test_unbuildable_item_is_dead_lettered_after_a_crash_before_its_letter() -> None:
    stage = Stage()
    stage.table.put(SONG)
    indexer = stage.runtime().indexer

    # The process is killed between the write and the dead letter.
    def die(_: Any) -> None:
        raise KeyboardInterrupt

    indexer._dead_letters = cast(Any, SimpleNamespace(add=die))
    change = Change(KEY, SONG, stage.clock.now_us(), "7")
    with pytest.raises(KeyboardInterrupt):
        indexer.apply(indexer.prepare([change]), float("inf"))
    fresh = stage.runtime().indexer
    result = fresh.apply(fresh.prepare([change]), float("inf"))
    assert not result.failed
    assert [letter.id for letter in stage.letters] == ["song-1"], result


UNBUILDABLE = {**KEY, "impossible": {"BOOL": True}}
REJECTED = {**KEY, "bars": {"S": "many"}}
GOOD = {**KEY, "title": {"S": "fixed"}}


def _replayed(stage: Stage, old: dict[str, Any]) -> list[str]:
    stage.table.put(GOOD)
    indexer, now = stage.runtime().indexer, stage.clock.now_us()
    first, second = Change(KEY, old, now, "7"), Change(KEY, GOOD, now + 1_000_000, "8")
    indexer.apply(indexer.prepare([second]), float("inf"))
    stage.letters.clear()
    # The older change is redelivered in a separate batch (after a crash, or by a frozen invocation).
    result = indexer.apply(indexer.prepare([first]), float("inf"))
    assert stage.documents()["song-1"]["title"] == "fixed"
    assert result.reconciled == 1
    return [letter.reason for letter in stage.letters]


def test_superseded_unbuildable_image_is_not_dead_lettered() -> None:
    assert _replayed(Stage(), UNBUILDABLE) == []


def test_superseded_rejected_image_is_not_dead_lettered() -> None:
    assert _replayed(Stage(), REJECTED) == []
