"""Following one shard: batches, checkpoints, and a state table that is away for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from dynadex.clock import Clock
from dynadex.progress.checkpoints import Checkpoint, Checkpoints
from dynadex.progress.state_table import StateUnavailable
from dynadex.run.event_source_mapping import EventSourceMapping
from dynadex.run.patience import Patience
from dynadex.run.shard_follower import Pace, ShardFollower
from dynadex.source.shard_reader import StreamTrimmedError
from dynadex.source.stream_event import Record
from dynadex.testing import InMemoryTable, ManualClock

SHARD = "shard-0"
AWAY = StateUnavailable("write the state table", "songs-dynadex", "connection refused")


class Stream(InMemoryTable):
    """A table that remembers how many records were asked for, and refuses what AWS refuses."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("songs", clock=clock)
        self.limits: list[int] = []

    def get_records(self, **request: Any) -> dict[str, Any]:
        self.limits.append(request["Limit"])
        assert 1 <= request["Limit"] <= 1000
        return super().get_records(**request)


class Kept(Checkpoints):
    """Checkpoints in a list; each save first goes wrong as often as told."""

    def __init__(self) -> None:
        self.saved: list[Checkpoint] = []
        self.stale_because = ""
        self.failures = 0

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        assert shard_id == SHARD
        self._fail()
        self.saved.append(checkpoint)

    def mark_stale(self, reason: str) -> None:
        self._fail()
        self.stale_because = reason

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise AWAY


class Following:
    """A shard, closed so that following it comes to an end."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.clock = ManualClock()
        self.stream = Stream(self.clock)
        self.checkpoints = Kept()
        self.batches: list[list[str]] = []
        self.said: list[str] = []
        self.pace = pace or Pace()
        self.before_batch: Callable[[], None] = lambda: None

    def write(self, count: int) -> list[str]:
        for turn in range(count):
            self.stream.put({"id": {"S": f"song {turn}"}})
        return [record["dynamodb"]["SequenceNumber"] for record in self.stream.records()]

    def run(self, checkpoint: Checkpoint | None = None) -> None:
        self.stream.split(SHARD)
        follower = ShardFollower(
            cast(Any, self.stream),
            self.stream.stream_arn,
            self.checkpoints,
            EventSourceMapping(self._handle, self.clock),
            threading.Event(),
            self.clock,
            self.pace,
            Patience(self.said.append, self.clock),
        )
        follower.follow(SHARD, checkpoint or Checkpoint(None))

    def _handle(self, records: Sequence[Record]) -> Sequence[str]:
        self.before_batch()
        self.batches.append([record["dynamodb"]["SequenceNumber"] for record in records])
        return ()


def test_a_shard_is_followed_to_its_end_batch_by_batch() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(10)
    following.run()
    assert following.batches == [numbers[:4], numbers[4:8], numbers[8:]]
    assert following.checkpoints.saved == [
        Checkpoint(None),
        Checkpoint(numbers[3]),
        Checkpoint(numbers[7]),
        Checkpoint(numbers[9]),
        Checkpoint(numbers[9], finished=True),
    ]


def test_it_starts_after_its_checkpoint() -> None:
    following = Following()
    numbers = following.write(10)
    following.run(Checkpoint(numbers[6]))
    assert following.batches == [numbers[7:]]


def test_no_more_records_are_asked_for_at_once_than_aws_gives() -> None:
    following = Following(Pace(batch_size=2500, batch_window_seconds=10.0))
    numbers = following.write(3000)
    following.run()
    assert following.batches == [numbers[:2500], numbers[2500:]]
    assert following.stream.limits[:3] == [1000, 1000, 500]


def test_a_state_table_that_is_away_is_waited_for_and_nothing_is_delivered_meanwhile() -> None:
    following = Following(Pace(batch_size=4))
    numbers = following.write(8)

    def go_away() -> None:
        following.checkpoints.failures = 20

    following.before_batch = go_away
    following.run()
    assert following.batches == [numbers[:4], numbers[4:]]
    assert following.checkpoints.saved[-1] == Checkpoint(numbers[7], finished=True)
    assert following.said[0] == f"waiting: {AWAY}"


def test_records_that_were_trimmed_make_the_index_stale_even_if_that_is_hard_to_write_down() -> None:
    following = Following()
    numbers = following.write(10)
    following.stream.trim(SHARD, 5)
    following.checkpoints.failures = 3
    with pytest.raises(StreamTrimmedError):
        following.run(Checkpoint(numbers[1]))
    assert following.checkpoints.stale_because == "what followed the last checkpoint is no longer kept"
    assert following.batches == []
