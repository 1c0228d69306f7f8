"""Races when a worker stops, restarts, or discovers shards."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

import dynadex.worker.worker as module
from dynadex.clock import StoppableClock
from dynadex.errors import SearchError
from dynadex.retry import Retrier
from dynadex.source.shard_reader import list_shards
from dynadex.state.checkpoints import Checkpoint
from dynadex.testing import InMemoryTable
from dynadex.worker.event_source_mapping import EventSourceMapping
from dynadex.worker.shard_follower import Delivery, FollowedStream, Pace, ShardFollower
from tests.unit.test_shard_follower import Following
from tests.unit.test_worker_start import InMemoryState, checkpoints_in, worker
from tests.waiting import wait_for, wait_for_end, wait_for_event


def test_fatal_error_is_raised_while_the_state_table_is_unavailable() -> None:
    following = Following(Pace(batch_size=4))
    following.write(12)
    stop = threading.Event()
    clock = StoppableClock(stop)
    calls = 0

    def handle(_: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            following.checkpoints.failures = 1_000_000
            raise SearchError("write to index", "songs", "no permissions", status=403)
        return ()

    class Operator(logging.Handler):
        """Presses Ctrl-C as soon as the worker logs that it waits."""

        def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002
            stop.set()

    log = logging.Logger("watched")
    log.addHandler(Operator())
    follower = ShardFollower(
        FollowedStream(cast(Any, following.stream), following.stream.stream_arn, following.checkpoints),
        Delivery(EventSourceMapping(handle, clock), lambda _: None),
        stop,
        Retrier(clock, log),
        Pace(batch_size=4),
    )
    following.checkpoints.clock = following.clock
    with pytest.raises(SearchError):
        follower.follow("shard-0", Checkpoint(None))


def age(state: InMemoryState, what: str) -> None:
    """Change the time of a stored item to 25 hours ago."""
    state.items[what]["saved_at"] = {"S": (datetime.now(UTC) - timedelta(hours=25)).isoformat()}


def stale_after_restart(table: InMemoryTable, state: InMemoryState) -> str | None:
    """Run a worker until it has read every record or failed; return why the index is stale."""
    follower, done = worker(table, state), threading.Event()
    checkpoints = checkpoints_in(state)

    def run() -> None:
        try:
            follower.run()
        finally:
            done.set()

    thread = threading.Thread(target=run, daemon=True)
    errors: list[BaseException] = []
    threading.excepthook = lambda args: errors.append(args.exc_value) if args.exc_value else None
    thread.start()
    last = table.records()[-1]["dynamodb"]["SequenceNumber"]
    wait_for(
        lambda: done.is_set() or any(checkpoint.position == last for checkpoint in checkpoints.load().values()),
        "the end",
    )
    follower._stop.set()
    wait_for_end(thread)
    return checkpoints.stale()


def test_trim_of_a_shard_that_was_empty_when_last_read_is_detected() -> None:
    table, state = InMemoryTable(), InMemoryState()
    worker(table, state)._check_stream()
    checkpoints_in(state).save("shard-0", Checkpoint(None))
    age(state, "checkpoint/shard-0")
    # While the worker is down, ten changes are written, and a day later the first five are trimmed.
    for number in range(10):
        table.put({"id": {"S": str(number)}})
    table.trim("shard-0", 5)
    assert stale_after_restart(table, state) is not None, "five changes are lost, and the index is not declared stale"


def test_trim_of_a_child_of_a_finished_shard_is_detected() -> None:
    table, state = InMemoryTable(), InMemoryState()
    worker(table, state)._check_stream()
    table.split("shard-0", 1)
    checkpoints_in(state).save("shard-0", Checkpoint("1" * 21, finished=True))
    age(state, "checkpoint/shard-0")
    for number in range(10):
        table.put({"id": {"S": str(number)}})
    table.trim("shard-1", 5)
    assert stale_after_restart(table, state) is not None, "five changes are lost, and the index is not declared stale"


def test_shard_that_ends_while_shards_are_listed_is_not_followed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table, state = InMemoryTable(), InMemoryState()
    checkpoints, follower = checkpoints_in(state), worker(table, state)
    go, followed = threading.Event(), []

    def follow(shard_id: str, checkpoint: Checkpoint) -> None:
        followed.append((shard_id, checkpoint))
        if len(followed) == 1:
            checkpoints.save(shard_id, checkpoint)
            wait_for_event(go, "the list of shards")
            checkpoints.save(shard_id, Checkpoint("9" * 21, finished=True))

    monkeypatch.setattr(follower._shards, "follow", follow)
    follower._check_stream()
    follower._start_ready_shards()
    wait_for(lambda: bool(followed), "the shard is followed")
    thread = follower._threads["shard shard-0"]
    listed = list_shards

    def list_slowly(*arguments: Any) -> Any:
        go.set()  # the shard is read to its end while DescribeStream is under way
        wait_for_end(thread)
        return listed(*arguments)

    monkeypatch.setattr(module, "list_shards", list_slowly)
    follower._start_ready_shards()
    wait_for_end(follower._threads["shard shard-0"])
    assert [shard for shard, _ in followed] == ["shard-0"], followed


def test_threads_of_ended_shards_are_dropped() -> None:
    table = InMemoryTable()
    follower = worker(table, InMemoryState())
    follower._check_stream()
    shard = "shard-0"
    for _ in range(100):
        shard, ended = table.split(shard, 1)[0], shard
        follower._start_ready_shards()
        wait_for_end(follower._threads[f"shard {ended}"])
    follower._start_ready_shards()
    follower._stop.set()
    assert len(follower._threads) < 5
