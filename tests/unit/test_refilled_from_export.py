"""An item of an export that cannot be indexed is dead-lettered, although its page is retried with the same version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from dynadex.change import Item
from dynadex.dead_letters.port import DeadLetter, DeadLetterError
from dynadex.errors import SearchUnavailable
from dynadex.refill.slices import Slice, run_slice
from dynadex.runtime import Runtime
from dynadex.source.table_scan import Page
from tests.unit.verify_stage import INDEX, Stage

IMPOSSIBLE: dict[str, Any] = {"id": {"S": "song-1"}, "impossible": {"BOOL": True}}


class ExportOf:
    """Pages of an export: all have the same time, regardless of how often they are read."""

    def __init__(self, items: Sequence[Item], time_us: int) -> None:
        self._items, self._time_us = items, time_us

    def page(self, _start_key: Mapping[str, Any] | None, _limit: int | None = None) -> Page:
        return Page(cast(Any, self._items), self._time_us, None, 0.0)

    def close(self) -> None:
        """Do nothing: no file is open."""


def load(stage: Stage, runtime: Runtime) -> Slice:
    pages = ExportOf([IMPOSSIBLE], stage.clock.now_us() - 3_600_000_000)
    return run_slice(runtime, Slice(indexes=(INDEX,)), stage.clock.monotonic() + 60, pages=pages)


def test_item_is_dead_lettered_after_a_failed_attempt_to_dead_letter_it() -> None:
    stage = Stage()
    stage.table.put(IMPOSSIBLE)
    runtime = stage.runtime()
    failures = [DeadLetterError("add", "queue", "unavailable", "")]

    def add(letters: Sequence[DeadLetter]) -> None:
        if failures:
            raise failures.pop()
        stage.letters.extend(letters)

    runtime.indexer._dead_letters = cast(Any, SimpleNamespace(add=add))
    assert load(stage, runtime).done
    assert [letter.id for letter in stage.letters] == ["song-1"]


def test_item_is_dead_lettered_after_the_response_to_its_delete_was_lost() -> None:
    stage = Stage()
    stage.table.put(IMPOSSIBLE)
    bulk, losing = stage.index.bulk, [True]

    def once_lost(index: str, body: bytes, timeout_seconds: float) -> Any:
        response = bulk(index, body, timeout_seconds)
        if losing:
            losing.pop()
            raise SearchUnavailable("write", index, "timed out")
        return response

    cast(Any, stage.index).bulk = once_lost
    assert load(stage, stage.runtime()).done
    assert [letter.id for letter in stage.letters] == ["song-1"]
