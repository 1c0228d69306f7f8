"""Two refills of one sync at a time: by hand, by a schedule, from the live view; and one that takes days."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, cast

import pytest

from dynadex import clients
from dynadex.refill.refill import RefillOptions, RefillProgress, refill
from dynadex.runtime import Runtime
from dynadex.state.checkpoints import Checkpoints
from tests.unit.test_worker_start import InMemoryState
from tests.unit.verify_stage import Stage

SECONDS = 10


class State(InMemoryState):
    def ensure(self) -> None:
        """It is there."""

    def put(self, what: str, values: dict[str, Any], *_: Any) -> bool:
        self.items[what] = values
        return True


@pytest.mark.timeout(60)
def test_a_second_refill_leaves_nothing_out_that_the_first_one_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, state = Stage(), State()
    monkeypatch.setattr(clients, "dynamodb", lambda _: stage.table)
    monkeypatch.setattr(Runtime, "state", lambda _: state)
    ids = {stage.song(number, indexed=False) for number in range(10)}
    runtime = replace(stage.runtime(), settings=replace(stage.runtime().settings, refill_page_size=2))
    halfway, go_on, went_on, finish = (threading.Event() for _ in range(4))

    def on_progress(now: RefillProgress) -> None:
        if now.items == 6:
            halfway.set()
            assert go_on.wait(SECONDS)
        if now.items == 8:
            went_on.set()
            assert finish.wait(SECONDS)

    def first() -> None:
        refill(runtime, RefillOptions(segments=1), threading.Event(), on_progress)

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    assert halfway.wait(SECONDS)
    stage.clock.advance(60)

    began = False

    def on_progress_of_second(_: RefillProgress) -> None:
        nonlocal began
        if not began:
            began = True
            # The first refill writes one more page while the second one begins.
            go_on.set()
            assert went_on.wait(SECONDS)

    refill(runtime, RefillOptions(segments=1), threading.Event(), on_progress_of_second)
    assert set(stage.documents()) == ids
    finish.set()
    thread.join(SECONDS)
    assert set(stage.documents()) == ids


@pytest.mark.parametrize("hours", [20, 30])
def test_a_refill_of_more_than_a_day_beside_which_no_worker_ran_mends_nothing(
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
