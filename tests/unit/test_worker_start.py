"""What a worker notes before it reads anything, so that a restart can tell a beginning from a gap."""

from __future__ import annotations

import threading
from typing import Any, cast

from dynadex.progress.checkpoints import Checkpoint, Checkpoints
from dynadex.progress.lease import Lease
from dynadex.progress.state_table import StateTable
from dynadex.run.event_source_mapping import EventSourceMapping
from dynadex.run.worker import StoppableClock, Worker
from dynadex.source.shard_reader import list_shards
from dynadex.source.shards import plan
from dynadex.testing import InMemoryTable


class InMemoryState(StateTable):
    """State in a dict, whose writes may stop working after a number of them."""

    def __init__(self, writes: int = 1_000) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.writes_left = writes

    def get(self, what: str) -> dict[str, Any] | None:
        return self.items.get(what)

    def put(self, what: str, values: dict[str, Any], *_: Any) -> bool:
        if not self.writes_left:
            raise KeyboardInterrupt
        self.writes_left -= 1
        self.items[what] = values
        return True

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        return {what: item for what, item in self.items.items() if what.startswith(prefix)}


def worker(table: InMemoryTable, state: StateTable) -> Worker:
    stop = threading.Event()
    clock = StoppableClock(stop)
    mapping = EventSourceMapping(lambda _: (), clock)
    lease = Lease(state, "me", clock, 10.0)
    return Worker(cast(Any, table), table.stream_arn, Checkpoints(state, clock), lease, mapping, stop, clock)


def stream_whose_parents_are_trimmed() -> InMemoryTable:
    table = InMemoryTable()
    table.split("shard-0", 3)
    table.forget_shard("shard-0")
    return table


def lost(table: InMemoryTable, state: StateTable) -> list[str]:
    noted = Checkpoints(state, StoppableClock(threading.Event())).load()
    finished = [shard_id for shard_id, checkpoint in noted.items() if checkpoint.finished]
    return plan(list_shards(cast(Any, table), table.stream_arn), noted, finished).lost


def test_a_first_start_on_shards_without_parents_loses_nothing() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState()
    worker(table, state)._check_stream()
    assert len(state.all("checkpoint/")) == 3
    assert lost(table, state) == []


def test_a_first_start_that_is_interrupted_is_still_a_first_start() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState(writes=1)
    try:
        worker(table, state)._check_stream()
    except KeyboardInterrupt:
        state.writes_left = 1_000
    assert len(state.all("checkpoint/")) == 1
    assert "stream" not in state.items
    worker(table, state)._check_stream()
    assert lost(table, state) == []


def test_what_is_noted_already_keeps_its_position() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState()
    checkpoints = Checkpoints(state, StoppableClock(threading.Event()))
    checkpoints.save("shard-1", Checkpoint("1" * 21))
    worker(table, state)._check_stream()
    assert checkpoints.load()["shard-1"].position == "1" * 21


def test_a_shard_that_vanishes_afterwards_is_a_gap() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState()
    worker(table, state)._check_stream()
    table.forget_shard("shard-2")
    assert lost(table, state) == ["shard shard-2 was trimmed before it was read to its end"]
