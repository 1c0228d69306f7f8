"""Replay of a stream: parents first, every shard to its end, and no record lost to a trim in between."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dynadex.clock import StoppableClock, Stopping
from dynadex.document.versioning import Timing
from dynadex.errors import SearchError, SearchUnavailable, SourceError
from dynadex.index.results import ApplyResult
from dynadex.refill.replay import Listed, _read, catch_up, check_age, check_stream, in_order
from dynadex.retry import Retrier
from dynadex.runtime import Runtime
from dynadex.source.shard_reader import Read, ShardReader, StreamTrimmedError
from dynadex.source.shards import Shard
from dynadex.testing import InMemoryTable, ManualClock

TRIMMED = StreamTrimmedError("continue reading", "shard", "trimmed")
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
START_US = 1_000 * SECOND_US


def test_parents_come_before_their_children_regardless_of_the_order_of_the_list() -> None:
    shards = [Shard("c", "b"), Shard("b", "a"), Shard("x", "gone"), Shard("d", "b"), Shard("a", None)]
    assert in_order(shards) == [
        Listed("x", closed=False),
        Listed("a", closed=True),
        Listed("b", closed=True),
        Listed("c", closed=False),
        Listed("d", closed=False),
    ]


def record(number: int, seconds: int | None = 0) -> dict[str, Any]:
    body = {"SequenceNumber": str(number), "ApproximateCreationDateTime": seconds}
    return {"dynamodb": {name: value for name, value in body.items() if value is not None}}


class Script:
    """Shard readers, each of which returns or raises the given results in turn, and then always ``ever``."""

    def __init__(self, *readers: Sequence[Any], ever: Any = None) -> None:
        self._readers = iter(readers)
        self._ever = ever or EMPTY

    def __call__(self) -> ShardReader:
        results = iter(next(self._readers, ()))

        def read(_: int) -> Read:
            result = next(results, self._ever)
            if isinstance(result, Exception):
                raise result
            return cast(Read, result)

        return cast(ShardReader, SimpleNamespace(read=read))


EMPTY = Read((), False)


def read(
    script: Script,
    *,
    closed: bool,
    is_listed: Callable[[], bool] = lambda: True,
    page_seconds: float = 0,
) -> list[str]:
    """Read a shard; return the numbers of its records. Applying a page takes ``page_seconds``."""
    clock = ManualClock(START_US)
    runtime = cast(Runtime, SimpleNamespace(clock=clock))
    numbers = []
    for page in _read(runtime, Retrier(clock, logging.getLogger(__name__)), script, Listed("shard", closed), is_listed):
        clock.advance(page_seconds)
        numbers += [record["dynamodb"]["SequenceNumber"] for record in page]
    return numbers


def test_closed_shard_is_read_to_its_end_despite_empty_pages() -> None:
    script = Script([Read([record(1)], False), *[EMPTY] * 50, Read([record(2)], True)])
    assert read(script, closed=True) == ["1", "2"]


def test_open_shard_is_read_until_enough_pages_are_empty_or_a_record_is_later_than_the_start() -> None:
    assert read(Script([Read([record(1)], False), *[EMPTY] * 5, Read([record(2)], False)]), closed=False) == [
        "1",
        "2",
    ]
    assert read(Script([Read([record(1, 1001)], False), Read([record(2)], False)]), closed=False) == ["1"]


def test_record_without_a_time_is_not_the_end() -> None:
    assert read(Script([Read([record(1, None)], False), Read([record(2)], False)]), closed=False) == ["1", "2"]
    late = Read([record(1, 1001), record(2, None)], False)
    assert read(Script([late, Read([record(3)], False)]), closed=False) == ["1", "2"]


def test_replay_continues_if_applying_took_longer_than_tombstones_last() -> None:
    """A put that is applied after 20 minutes may undo a later delete whose tombstone has expired."""
    script = Script([Read([record(1, 1001)], False), Read([record(2, 1100)], False), Read([record(3, 3500)], False)])
    assert read(script, closed=False, page_seconds=1200) == ["1", "2", "3"]
    soon = Script([Read([record(1, 1001)], False), Read([record(2, 1100)], False)])
    assert read(soon, closed=False, page_seconds=60) == ["1"]


def test_records_after_a_trim_are_read() -> None:
    script = Script([Read([record(1)], False), TRIMMED], [Read([record(2)], False), Read([record(3)], True)])
    assert read(script, closed=True) == ["1", "2", "3"]


@pytest.mark.parametrize("closed", [False, True])
def test_records_after_a_trim_before_the_first_read_are_read(closed: bool) -> None:
    """DynamoDB may trim a shard between the creation of an iterator and its first use."""
    script = Script([TRIMMED], [EMPTY, TRIMMED], [TRIMMED], [Read([record(1)], False), Read([record(2)], True)])
    assert read(script, closed=closed) == ["1", "2"]


@pytest.mark.parametrize("closed", [False, True])
def test_shard_that_is_no_longer_listed_is_skipped(closed: bool) -> None:
    assert read(Script([TRIMMED]), closed=closed, is_listed=lambda: False) == []


def test_listed_shard_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(StreamTrimmedError):
        read(Script(ever=TRIMMED), closed=True)


class World:
    """A table with its stream, and a runtime that only records which changes it was to apply."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock(START_US)
        self.table = InMemoryTable(clock=self.clock)
        self.applied: list[str] = []
        self.results: list[Exception | list[int]] = []
        """Results of the next batches: an error, or the positions of the records that fail."""
        self.on_page: Callable[[], None] = lambda: None
        self.deadlines: list[float] = []
        self.runtime = cast(
            Runtime,
            SimpleNamespace(
                clock=self.clock,
                timing=Timing(),
                settings=SimpleNamespace(refill_slice_seconds=240.0),
                description=SimpleNamespace(usable_stream=lambda: self.table.stream_arn),
                indexer=None,
                sync=SimpleNamespace(index="songs"),
            ),
        )
        monkeypatch.setattr("dynadex.clients.dynamodb_streams", lambda _: self.table)
        monkeypatch.setattr("dynadex.refill.replay.apply_records", self.apply)

    def put(self, identity: str) -> None:
        self.table.put({"id": {"S": identity}})

    def apply(self, _: object, records: Sequence[Any], deadline: float) -> ApplyResult:
        self.deadlines.append(deadline)
        result = self.results.pop(0) if self.results else []
        if isinstance(result, Exception):
            raise result
        failed = {records[position]["dynamodb"]["SequenceNumber"]: "busy" for position in result}
        done = [record for record in records if record["dynamodb"]["SequenceNumber"] not in failed]
        self.applied += [record["dynamodb"]["Keys"]["id"]["S"] for record in done]
        self.on_page()
        return ApplyResult(applied=len(done), failed=failed)

    def catch_up(self, since_us: int) -> ApplyResult:
        return catch_up(self.runtime, since_us, lambda _: None)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_changes_older_than_the_export_are_skipped_unless_they_may_tie_with_it(world: World) -> None:
    for seconds in range(20):
        world.put(f"at-{seconds}")
        world.clock.advance(1)
    assert world.catch_up(START_US + 10 * SECOND_US).applied == len(world.applied)
    # The margin is 2 s, and the window 5 s.
    assert world.applied == [f"at-{seconds}" for seconds in range(3, 20)]


def test_shards_that_are_created_during_the_replay_are_read(world: World) -> None:
    world.put("before")

    def split_once() -> None:
        world.on_page = lambda: None
        [child] = world.table.split("shard-0", 1)
        world.put("after")
        world.table.split(child, 1)
        world.put("later")

    world.on_page = split_once
    world.catch_up(START_US)
    assert world.applied == ["before", "after", "later"]


def test_failed_change_is_retried_and_counted_once(world: World) -> None:
    for identity in "abc":
        world.put(identity)
    world.results = [[1], SearchUnavailable("write to", "songs", "no answer"), [0]]
    done = world.catch_up(START_US)
    assert sorted(world.applied) == ["a", "b", "c"]
    assert (done.applied, done.failed) == (3, {})


@pytest.mark.parametrize("result", [SearchUnavailable("write to", "songs", "no answer"), [0]])
def test_cluster_that_stays_unavailable_is_an_error(world: World, result: Any) -> None:
    world.put("a")
    world.results = [result] * 10_000
    started = world.clock.monotonic()
    with pytest.raises(SearchUnavailable, match="apply changes since the export to songs: 1 failed") as caught:
        world.catch_up(START_US)
    assert "--resume" in caught.value.hint
    assert 200 <= world.clock.monotonic() - started <= 240
    assert set(world.deadlines) == {started + 240}


def test_error_that_is_not_retryable_is_raised_immediately(world: World) -> None:
    world.put("a")
    world.results = [SearchError("write to", "songs", "forbidden", status=403)]
    with pytest.raises(SearchError, match="forbidden"):
        world.catch_up(START_US)


def test_replay_stops_between_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    stop = threading.Event()
    clock = StoppableClock(stop)
    monkeypatch.setattr(clock, "now_us", world.clock.now_us)
    cast(Any, world.runtime).clock = clock
    for number in range(1_500):
        world.put(str(number))
    world.on_page = stop.set
    with pytest.raises(Stopping):
        world.catch_up(START_US)
    assert len(world.applied) == 1_000


def test_stream_that_began_after_the_export_is_rejected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    describe = world.table.describe_stream

    def described(**request: Any) -> dict[str, Any]:
        reply = describe(**request)
        reply["StreamDescription"]["CreationRequestDateTime"] = datetime.fromtimestamp(1_000, UTC)
        return reply

    monkeypatch.setattr(world.table, "describe_stream", described)
    check_stream(world.runtime, START_US)
    world.put("a")
    for call in (check_stream, lambda _, since: world.catch_up(since)):
        with pytest.raises(SourceError, match=r"stream began.*1970-01-01T00:16:40.*could be restored") as caught:
            call(world.runtime, START_US - 1)
    assert "Take a new export" in caught.value.hint
    assert world.applied == []


def test_export_older_than_the_records_of_the_stream_is_rejected() -> None:
    check_age(0, 23 * HOUR_US)
    with pytest.raises(SourceError, match=r"an export that is 24 hours old.*could be restored.*Take a new export"):
        check_age(0, 24 * HOUR_US)


def test_export_from_the_future_is_rejected() -> None:
    with pytest.raises(SourceError, match=r"1970-01-01T00:00:01.*time of this machine is 1970-01-01T00:00:00"):
        check_age(SECOND_US, 0)


def test_export_that_expires_during_the_replay_is_rejected_before_the_next_batch(world: World) -> None:
    for number in range(1_500):
        world.put(str(number))
    world.on_page = lambda: world.clock.advance(24 * 3600 + 1)
    with pytest.raises(SourceError, match="hours old"):
        world.catch_up(START_US)
    assert len(world.applied) == 1_000


def test_export_that_expires_with_the_last_batch_is_rejected(world: World) -> None:
    world.put("a")
    world.table.split("shard-0", 0)
    world.on_page = lambda: world.clock.advance(24 * 3600 + 1)
    with pytest.raises(SourceError, match="hours old"):
        world.catch_up(START_US)
