"""Following one shard: batches, checkpoints, and a state table that is temporarily unavailable."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from dynadex.clock import Clock
from dynadex.index.apply_records import Batch
from dynadex.retry import Retrier
from dynadex.source.shard_reader import StreamTrimmedError
from dynadex.source.shards import Shard
from dynadex.source.stream_event import Record
from dynadex.state.checkpoints import Checkpoint, Checkpoints
from dynadex.state.state_table import StateUnavailable
from dynadex.testing import InMemoryTable, ManualClock
from dynadex.worker.event_source_mapping import EventSourceMapping
from dynadex.worker.shard_follower import Delivery, FollowedStream, Pace, ShardFollower
from dynadex.worker.shard_progress import QUIET_READS, covered_by_children, first_checkpoint
from tests.waiting import wait_for_event

SHARD = "shard-0"
SECOND = 1_000_000
UNAVAILABLE = StateUnavailable("write the state table", "songs-dynadex", "connection refused")


class Stream(InMemoryTable):
    """A table that records the limits of GetRecords, and rejects those that AWS rejects."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("songs", clock=clock)
        self.limits: list[int] = []
        self.on_read: Callable[[int], None] = lambda _: None
        self.silent_reads = 0

    def get_records(self, **request: Any) -> dict[str, Any]:
        self.limits.append(request["Limit"])
        assert 1 <= request["Limit"] <= 1000
        self.on_read(len(self.limits))
        if self.silent_reads:
            # AWS may return an empty page although records follow.
            self.silent_reads -= 1
            return {"Records": [], "NextShardIterator": request["ShardIterator"]}
        return super().get_records(**request)


class RecordedCheckpoints(Checkpoints):
    """Checkpoints in a list. The next ``failures`` writes fail."""

    def __init__(self, clock: ManualClock) -> None:
        self.saved: list[Checkpoint] = []
        self.saved_at: list[float] = []
        self.clock = clock
        self.stale_because = ""
        self.failures = 0

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        assert shard_id == SHARD
        self._fail()
        self.saved.append(checkpoint)
        self.saved_at.append(self.clock.monotonic())

    def mark_stale(self, reason: str) -> None:
        self._fail()
        self.stale_because = reason

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise UNAVAILABLE


class Following:
    """Follows a shard, which `run` closes so that following it ends."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.clock = ManualClock()
        self.stream = Stream(self.clock)
        self.checkpoints = RecordedCheckpoints(self.clock)
        self.batches: list[list[str]] = []
        self.delivered: list[Sequence[Record]] = []
        self.prepared: list[Batch] = []
        self.pace = pace or Pace()
        self.stop = threading.Event()
        self.before_batch: Callable[[], None] = lambda: None
        self.failing = 0

    def write(self, count: int, every_seconds: float = 0.0) -> list[str]:
        for turn in range(count):
            self.stream.put({"id": {"S": f"song {turn}"}})
            self.clock.advance(every_seconds)
        return [record["dynamodb"]["SequenceNumber"] for record in self.stream.records()]

    def run(self, checkpoint: Checkpoint | None = None) -> None:
        self.stream.split(SHARD)
        self.follow(checkpoint)

    def follow(self, checkpoint: Checkpoint | None = None) -> None:
        follower = ShardFollower(
            FollowedStream(cast(Any, self.stream), self.stream.stream_arn, self.checkpoints),
            Delivery(EventSourceMapping(self._handle, self.clock), self._prepare),
            self.stop,
            Retrier(self.clock, logging.getLogger("dynadex")),
            self.pace,
        )
        follower.follow(SHARD, checkpoint or Checkpoint(None))

    def _prepare(self, batch: Batch) -> None:
        self.prepared.append(batch)

    def _handle(self, records: Sequence[Record]) -> Sequence[str]:
        self.before_batch()
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        self.batches.append(numbers)
        self.delivered.append(records)
        if self.failing:
            self.failing -= 1
            return numbers[-1:]
        return ()


def test_shard_is_followed_to_its_end_in_batches() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(10)
    following.run()
    assert following.batches == [numbers[:4], numbers[4:8], numbers[8:]]
    assert [(checkpoint.position, checkpoint.finished) for checkpoint in following.checkpoints.saved] == [
        (None, False),
        (numbers[3], False),
        (numbers[9], False),
        (numbers[9], True),
    ]


def test_checkpoint_is_saved_once_a_second_in_a_backlog() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(40)
    following.before_batch = lambda: following.clock.advance(0.4)
    following.run()
    # Of ten batches: the first, every third one after it, and the last, which turns out to be the last only afterwards.
    positions = [checkpoint.position for checkpoint in following.checkpoints.saved]
    assert positions == [None, numbers[3], numbers[15], numbers[27], numbers[39], numbers[39]]


def test_unsaved_progress_is_saved_when_a_backlog_ends() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(8)
    following.stream.on_read = lambda reads: following.stop.set() if reads > 2 else None
    following.follow()
    assert following.batches == [numbers[:4], numbers[4:]]
    assert [checkpoint.position for checkpoint in following.checkpoints.saved] == [None, numbers[3], numbers[7]]


def test_unsaved_progress_is_saved_when_the_worker_stops_in_a_backlog() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(40)
    following.before_batch = lambda: following.stop.set() if len(following.batches) == 2 else None
    following.follow()
    assert [checkpoint.position for checkpoint in following.checkpoints.saved] == [None, numbers[3], numbers[11]]


def test_progress_within_a_partly_failed_batch_is_saved_immediately() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(12)
    following.before_batch = lambda: setattr(following, "failing", int(len(following.batches) == 1))
    following.run()
    assert [checkpoint.position for checkpoint in following.checkpoints.saved[:3]] == [None, numbers[3], numbers[6]]


def test_batch_that_is_read_ahead_is_prepared_before_it_is_delivered() -> None:
    following = Following(Pace(batch_size=4))
    following.write(10)
    following.run()
    assert following.prepared == following.delivered[1:]
    assert all(batch is delivered for batch, delivered in zip(following.prepared, following.delivered[1:], strict=True))


def test_next_batch_is_read_during_delivery_in_a_backlog() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(8)
    second_read = threading.Event()
    following.stream.on_read = lambda reads: second_read.set() if reads == 2 else None
    following.before_batch = lambda: wait_for_event(second_read, "a batch that is read ahead")
    following.run()
    assert following.batches == [numbers[:4], numbers[4:]]


def test_next_batch_is_read_after_delivery_without_a_backlog() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(3)
    reads: list[int] = []
    following.before_batch = lambda: reads.append(len(following.stream.limits))
    following.run()
    assert (following.batches, reads) == ([numbers], [1])


def test_reading_starts_after_the_checkpoint() -> None:
    following = Following()
    numbers = following.write(10)
    following.run(Checkpoint(numbers[6]))
    assert following.batches == [numbers[7:]]


def test_read_limit_does_not_exceed_that_of_aws() -> None:
    following = Following(Pace(batch_size=2500, batch_window_seconds=10.0))
    numbers = following.write(3000)
    following.run()
    assert following.batches == [numbers[:2500], numbers[2500:]]
    assert following.stream.limits[:3] == [1000, 1000, 500]


def test_no_batch_is_delivered_while_the_state_table_is_unavailable(logged: list[str]) -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(8)

    def fail_saves() -> None:
        following.checkpoints.failures = 20

    following.before_batch = fail_saves
    following.run()
    assert following.batches == [numbers[:4], numbers[4:]]
    last = following.checkpoints.saved[-1]
    assert (last.position, last.finished) == (numbers[7], True)
    assert logged[0] == f"waiting: {UNAVAILABLE}"


def test_trimmed_records_make_the_index_stale_even_if_the_state_table_fails_at_first() -> None:
    following = Following()
    numbers = following.write(10)
    following.stream.trim(SHARD, 5)
    following.checkpoints.failures = 3
    with pytest.raises(StreamTrimmedError):
        following.run(Checkpoint(numbers[1]))
    assert following.checkpoints.stale_because == "the records after the last checkpoint were trimmed"
    assert following.batches == []


def stop_at_read(following: Following, number: int, then: Callable[[], None] = lambda: None) -> None:
    """Stop following the open shard at the given read."""

    def on_read(count: int) -> None:
        if count == number:
            then()
            following.stop.set()

    following.stream.on_read = on_read


def test_passed_time_is_that_of_the_last_acknowledged_record() -> None:
    following = Following(Pace(batch_size=4))
    following.clock.advance(0.9)
    start = following.clock.now_us() // SECOND * SECOND
    numbers = following.write(6, every_seconds=0.7)
    following.failing = 1
    following.before_batch = lambda: following.clock.advance(1)
    following.run(Checkpoint(None))
    times = {checkpoint.position: checkpoint.passed_us for checkpoint in following.checkpoints.saved}
    # Written at 0.9, 1.6, 2.3, 3.0, 3.7 and 4.4; the stream rounds that down.
    assert times == {
        None: None, numbers[2]: start + 2 * SECOND, numbers[3]: start + 3 * SECOND, numbers[5]: start + 4 * SECOND,
    }  # fmt: skip


def test_passed_time_of_a_quiet_shard_is_just_before_its_last_empty_read() -> None:
    following = Following(Pace(poll_seconds=0.5))
    [number] = following.write(1)
    written_at = following.clock.now_us()
    following.clock.advance(60.0)
    stop_at_read(following, 100)
    began_at, began = following.clock.now_us(), following.clock.monotonic()
    following.follow()
    first, record, *quiet = following.checkpoints.saved
    assert (first, record) == (Checkpoint(None), Checkpoint(number, passed_us=written_at))
    # From the first save on, one is due every five seconds; each repeats the position.
    assert [at - began for at in following.checkpoints.saved_at] == [
        0,
        0,
        *(pytest.approx(5.0 * n) for n in range(1, 10)),
    ]
    assert [checkpoint.position for checkpoint in quiet] == [number] * 9
    assert [checkpoint.passed_us for checkpoint in quiet] == [began_at + (5 * n - 2) * SECOND for n in range(1, 10)]


def test_passed_time_is_saved_immediately_if_it_was_unknown() -> None:
    following = Following(Pace(poll_seconds=0.5))
    stop_at_read(following, QUIET_READS + 1)
    began_at = following.clock.now_us()
    following.follow()
    passed_us = began_at + (QUIET_READS - 1) * SECOND // 2 - 2 * SECOND
    assert following.checkpoints.saved == [Checkpoint(None), Checkpoint(None, passed_us=passed_us)]


def test_few_empty_reads_do_not_mean_that_no_records_follow() -> None:
    following = Following()
    numbers = following.write(3)
    written_at = following.clock.now_us()
    following.clock.advance(3600.0)
    following.stream.silent_reads = QUIET_READS - 1
    following.run(Checkpoint(numbers[0], passed_us=7))
    assert {checkpoint.passed_us for checkpoint in following.checkpoints.saved} == {written_at}


def test_passed_time_never_decreases() -> None:
    following = Following()
    numbers = following.write(4)
    late = following.clock.now_us() + 3600 * SECOND
    following.run(Checkpoint(numbers[0], passed_us=late))
    assert {checkpoint.passed_us for checkpoint in following.checkpoints.saved} == {late}


def test_record_without_a_time_advances_only_the_position() -> None:
    following = Following()
    numbers = following.write(1)
    del following.stream.records()[0]["dynamodb"]["ApproximateCreationDateTime"]
    following.run(Checkpoint(None, passed_us=7))
    assert following.checkpoints.saved[1] == Checkpoint(numbers[0], passed_us=7)


def test_passed_time_does_not_exceed_unacknowledged_records() -> None:
    """The state table is unavailable for a minute during an acknowledgement: no save claims more than the batch."""
    following = Following(Pace(batch_size=2))
    numbers = following.write(4)
    written_at = following.clock.now_us()
    following.before_batch = lambda: setattr(following.checkpoints, "failures", 12)
    following.run()
    assert following.clock.now_us() - written_at > 30 * SECOND
    assert [(checkpoint.position, checkpoint.passed_us) for checkpoint in following.checkpoints.saved] == [
        (None, None), (numbers[1], written_at), (numbers[3], written_at), (numbers[3], written_at),
    ]  # fmt: skip


SHARDS = [Shard("parent", None), Shard("left", "parent"), Shard("right", "parent")]
ENDED = Checkpoint("9", finished=True, passed_us=100 * SECOND)


@pytest.mark.parametrize(
    ("shards", "checkpoints", "now_seconds", "expected"),
    [
        (SHARDS, {"parent": ENDED, "left": Checkpoint(None), "right": Checkpoint(None)}, 101, ["parent"]),
        (SHARDS, {"parent": ENDED, "left": Checkpoint(None)}, 1000, []),
        (SHARDS, {"parent": ENDED}, 1000, []),
        (SHARDS[:1], {"parent": ENDED}, 101, []),
        (SHARDS[:1], {"parent": ENDED}, 161, ["parent"]),
        (SHARDS[:1], {"parent": Checkpoint("9", passed_us=100 * SECOND)}, 1000, []),
        (SHARDS[:1], {"parent": Checkpoint("9", finished=True)}, 1000, []),
        ([], {"parent": ENDED}, 1000, ["parent"]),
    ],
    ids=[
        "both children have checkpoints", "one child has none", "no child has one", "no child is listed yet",
        "no child appeared", "it is not finished", "it was covered before", "it is no longer listed",
    ],
)  # fmt: skip
def test_finished_shard_counts_until_its_children_have_checkpoints(
    shards: list[Shard], checkpoints: dict[str, Checkpoint], now_seconds: int, expected: list[str]
) -> None:
    assert covered_by_children(shards, checkpoints, now_seconds * SECOND) == expected


def test_child_shard_starts_at_the_passed_time_of_its_parent() -> None:
    assert first_checkpoint(ENDED) == Checkpoint(None, passed_us=ENDED.passed_us)
    assert first_checkpoint(None) == Checkpoint(None)


def test_batch_waits_for_its_window_to_fill_up() -> None:
    following = Following(Pace(batch_size=100, batch_window_seconds=10.0))
    began, waited = following.clock.monotonic(), []
    following.write(1)

    def stop() -> None:
        waited.append(following.clock.monotonic() - began)
        following.stop.set()

    following.before_batch = stop
    following.follow()
    assert waited == [pytest.approx(10.0, abs=0.5)]


def test_shard_trimmed_at_the_first_use_of_its_iterator_is_read_from_the_remaining_records() -> None:
    """This happens at a first start on a busy table, whose oldest records are trimmed continuously."""
    following = Following()
    numbers = following.write(10)
    hand_out = following.stream.get_shard_iterator
    times = [1, 2]

    def then_trim(**request: Any) -> dict[str, Any]:
        iterator = hand_out(**request)
        if times:
            following.stream.trim(SHARD, times.pop())
        return iterator

    following.stream.get_shard_iterator = then_trim  # type: ignore[method-assign]
    following.run()
    assert following.checkpoints.stale_because == ""
    assert following.batches == [numbers[3:]]
