"""What a worker records before it reads the stream, so that a restart can distinguish a first start from a gap."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import Any, cast

import pytest

from dynadex.clock import StoppableClock, SystemClock, iso
from dynadex.retry import Retrier
from dynadex.source.shard_reader import StreamTrimmedError, list_shards
from dynadex.source.shards import plan_reads
from dynadex.state.checkpoints import Checkpoint, Checkpoints
from dynadex.state.last_runs import LastRuns
from dynadex.state.lease import Lease
from dynadex.state.state_table import StateTable
from dynadex.testing import InMemoryTable
from dynadex.worker.event_source_mapping import EventSourceMapping
from dynadex.worker.follow import warn_of_gap
from dynadex.worker.shard_follower import Delivery, FollowedStream
from dynadex.worker.worker import Worker
from tests.waiting import wait_for

HOUR_US = 3_600_000_000


class InMemoryState(StateTable):
    """A state table in a dict. Writes raise KeyboardInterrupt after the given number of them."""

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

    def delete(self, what: str, *_: Any) -> bool:
        return self.items.pop(what, None) is not None

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        return {what: item for what, item in self.items.items() if what.startswith(prefix)}


def worker(table: InMemoryTable, state: StateTable) -> Worker:
    stop = threading.Event()
    clock = StoppableClock(stop)
    mapping = EventSourceMapping(lambda _: (), clock)
    lease = Lease(state, "me", clock, 10.0)
    checkpoints = Checkpoints(state, clock)
    stream = FollowedStream(cast(Any, table), table.stream_arn, checkpoints)
    return Worker(stream, lease, Delivery(mapping, lambda _: None), stop, Retrier(clock, logging.getLogger(__name__)))


def stream_whose_parents_are_trimmed() -> InMemoryTable:
    table = InMemoryTable()
    table.split("shard-0", 3)
    table.forget_shard("shard-0")
    return table


def checkpoints_in(state: StateTable) -> Checkpoints:
    return Checkpoints(state, StoppableClock(threading.Event()))


def lost_changes(table: InMemoryTable, state: StateTable) -> list[str]:
    checkpoints = checkpoints_in(state).load()
    finished = [shard_id for shard_id, checkpoint in checkpoints.items() if checkpoint.finished]
    return plan_reads(list_shards(cast(Any, table), table.stream_arn), checkpoints, finished).lost


def test_first_start_on_shards_without_parents_loses_nothing() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState()
    worker(table, state)._check_stream()
    assert len(state.all("checkpoint/")) == 3
    assert lost_changes(table, state) == []


def test_first_start_is_repeated_after_an_interruption() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState(writes=1)
    try:
        worker(table, state)._check_stream()
    except KeyboardInterrupt:
        state.writes_left = 1_000
    assert len(state.all("checkpoint/")) == 1
    assert "stream" not in state.items
    worker(table, state)._check_stream()
    assert lost_changes(table, state) == []


def test_first_start_keeps_the_position_of_existing_checkpoints() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState()
    checkpoints = checkpoints_in(state)
    checkpoints.save("shard-1", Checkpoint("1" * 21))
    worker(table, state)._check_stream()
    assert checkpoints.load()["shard-1"].position == "1" * 21


def test_shard_that_is_trimmed_after_the_first_start_is_a_gap() -> None:
    table, state = stream_whose_parents_are_trimmed(), InMemoryState()
    worker(table, state)._check_stream()
    table.forget_shard("shard-2")
    assert lost_changes(table, state) == ["shard shard-2 was trimmed before it was read to its end"]


def test_worker_does_not_read_the_stream_of_a_stale_index_until_a_backfill_has_begun() -> None:
    table, state = InMemoryTable(), InMemoryState()
    checkpoints = checkpoints_in(state)
    worker(table, state)._check_stream()
    checkpoints.mark_stale("shard-0 was trimmed")
    with pytest.raises(StreamTrimmedError, match=r"the index is stale: shard-0 was trimmed\. Run `dynadex refill`"):
        worker(table, state)._check_stream()
    checkpoints.begin_recovery(SystemClock().now_us())
    worker(table, state)._check_stream()
    assert (checkpoints.stream(), checkpoints.load()) == (table.stream_arn, {"shard-0": Checkpoint(None)})
    checkpoints.mark_stale("lost again")
    with pytest.raises(StreamTrimmedError, match="lost again"):
        worker(table, state)._check_stream()


@pytest.mark.parametrize("recovering", [False, True])
def test_replaced_stream_makes_the_index_stale_even_during_a_backfill(recovering: bool) -> None:
    table, state = InMemoryTable(), InMemoryState()
    checkpoints = checkpoints_in(state)
    if recovering:
        checkpoints.mark_stale("lost")
        checkpoints.begin_recovery(SystemClock().now_us())
    worker(table, state)._check_stream()
    table.stream_arn += "-replaced"
    with pytest.raises(StreamTrimmedError, match="the table's stream was replaced"):
        worker(table, state)._check_stream()
    assert (checkpoints.unrecovered() or "").startswith("the table's stream was replaced")


def test_finished_shard_limits_the_lag_until_its_children_have_checkpoints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, state = InMemoryTable(), InMemoryState()
    checkpoints = checkpoints_in(state)
    follower = worker(table, state)
    started: dict[str, Checkpoint] = {}
    monkeypatch.setattr(follower._shards, "follow", started.__setitem__)
    now = SystemClock().now_us()
    follower._check_stream()
    checkpoints.save("shard-0", Checkpoint("1" * 21, finished=True, passed_us=now))
    checkpoints.save("shard-9", Checkpoint("1" * 21, passed_us=now + 1))
    table.split("shard-0")
    table._shards.append(replace(table._shards[0], shard_id="shard-9", closed=False))
    assert checkpoints.passed_us() == now

    follower._start_ready_shards()
    wait_for(lambda: {"shard-1", "shard-2"} <= started.keys(), "both children followed")
    assert started["shard-1"] == started["shard-2"] == Checkpoint(None, passed_us=now)
    assert checkpoints.passed_us() == now, "the children have no checkpoints yet"

    for child in ("shard-1", "shard-2"):
        checkpoints.save(child, Checkpoint(None, passed_us=now + 2))
    assert checkpoints.passed_us() == now
    follower._start_ready_shards()
    assert checkpoints.passed_us() == now + 1
    assert checkpoints.load()["shard-0"] == Checkpoint("1" * 21, finished=True)


def test_first_start_more_than_a_day_after_a_backfill_began_reports_lost_changes() -> None:
    table, state = InMemoryTable(), InMemoryState()
    checkpoints = checkpoints_in(state)
    checkpoints.mark_stale("shard-0 was trimmed")
    checkpoints.begin_recovery(SystemClock().now_us() - 30 * HOUR_US)
    with pytest.raises(StreamTrimmedError, match="24 hours"):
        worker(table, state)._check_stream()


@pytest.mark.parametrize(("hours", "warned"), [(20, False), (50, True)])
def test_first_start_long_after_the_last_backfill_warns_of_lost_changes(
    hours: int, warned: bool, logged: list[str]
) -> None:
    state = InMemoryState()
    began = iso(SystemClock().now_us() - hours * HOUR_US)
    LastRuns(cast(Any, state)).note("refill", {"started_at": began})
    warn_of_gap(cast(Any, state), checkpoints_in(state), SystemClock())
    assert [line.partition(", more than 24 hours ago: changes since then are lost")[0] for line in logged] == [
        f"the last backfill began {began}"
    ] * warned
    logged.clear()
    checkpoints_in(state).mark_stale("shard-0 was trimmed")
    warn_of_gap(cast(Any, state), checkpoints_in(state), SystemClock())
    assert logged == [], "a stale index has its own message"
    state.delete("stale")
    LastRuns(cast(Any, state)).note("rebuild", {"started_at": iso(SystemClock().now_us())})
    warn_of_gap(cast(Any, state), checkpoints_in(state), SystemClock())
    assert logged == [], "the index was rebuilt since"
    state.delete("last/rebuild")
    checkpoints_in(state).follow("arn")
    warn_of_gap(cast(Any, state), checkpoints_in(state), SystemClock())
    assert logged == []
