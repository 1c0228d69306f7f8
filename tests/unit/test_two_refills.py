"""Two concurrent backfills of one Sync, and a backfill that takes more than a day."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, cast

import pytest

from dynadex import clients
from dynadex.refill.refill import RefillOptions, refill
from dynadex.refill.segments import RefillProgress
from dynadex.runtime import Runtime
from dynadex.state.checkpoints import Checkpoints
from tests.unit.test_worker_start import InMemoryState
from tests.unit.verify_stage import Stage
from tests.waiting import wait_for_end, wait_for_event


class State(InMemoryState):
    def ensure(self) -> None:
        """Do nothing: it exists."""

    def put(self, what: str, values: dict[str, Any], *_: Any) -> bool:
        self.items[what] = values
        return True


def test_second_backfill_skips_no_item_that_the_first_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, state = Stage(), State()
    monkeypatch.setattr(clients, "dynamodb", lambda _: stage.table)
    monkeypatch.setattr(Runtime, "state", lambda _: state)
    ids = {stage.song(number, indexed=False) for number in range(10)}
    runtime = replace(stage.runtime(), settings=replace(stage.runtime().settings, refill_page_size=2))
    halfway, proceed, proceeded, finish = (threading.Event() for _ in range(4))

    def on_progress(now: RefillProgress) -> None:
        if now.items == 6:
            halfway.set()
            wait_for_event(proceed, "the second backfill")
        if now.items == 8:
            proceeded.set()
            wait_for_event(finish, "the end of the second backfill")

    def first() -> None:
        refill(runtime, RefillOptions(segments=1), threading.Event(), on_progress)

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    wait_for_event(halfway, "half of the first backfill")
    stage.clock.advance(60)

    began = False

    def on_progress_of_second(_: RefillProgress) -> None:
        nonlocal began
        if not began:
            began = True
            # The first refill writes one more page while the second one begins.
            proceed.set()
            wait_for_event(proceeded, "one more page of the first backfill")

    refill(runtime, RefillOptions(segments=1), threading.Event(), on_progress_of_second)
    assert set(stage.documents()) == ids
    finish.set()
    wait_for_end(thread)
    assert set(stage.documents()) == ids


@pytest.mark.parametrize("hours", [20, 30])
def test_backfill_of_more_than_a_day_without_a_worker_keeps_the_index_stale(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, state = Stage(), State()
    monkeypatch.setattr(clients, "dynamodb", lambda _: stage.table)
    monkeypatch.setattr(Runtime, "state", lambda _: state)
    stage.song(1)
    checkpoints = Checkpoints(cast(Any, state), stage.clock)
    checkpoints.mark_stale("a shard was trimmed")
    options = RefillOptions(segments=1)
    refill(stage.runtime(), options, threading.Event(), lambda _: stage.clock.advance(hours * 1800))
    assert bool(checkpoints.stale()) == (hours > 24)
