"""The worker: follows a table's stream without Lambda, with the semantics of Lambda's event source mapping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynadex.clock import Backoff, Clock, SystemClock
from dynadex.errors import DynadexError, SourceUnavailable
from dynadex.progress.acknowledged import Acknowledged
from dynadex.progress.checkpoints import Checkpoint, Checkpoints
from dynadex.progress.lease import Lease
from dynadex.run.event_source_mapping import EventSourceMapping, sequence_number
from dynadex.source.shard_reader import Read, ShardReader, StreamTrimmedError, list_shards
from dynadex.source.shards import plan
from dynadex.source.stream_event import Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_DISCOVER_SECONDS = 5.0
# A batch is at most this many reads of up to 1 MB each, as AWS's is at most 6 MB.
_MOST_READS = 6


class Stopping(BaseException):
    """Raised out of a wait once the worker was told to stop; not an error, and nothing may catch it as one."""


class StoppableClock(SystemClock):
    """System time whose sleep ends at once, by Stopping, when the worker is told to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping


@dataclass(frozen=True, slots=True)
class Pace:
    """How the worker reads. ``batch_window_seconds``: how long a batch may wait to fill up."""

    batch_size: int = 1000
    batch_window_seconds: float = 0.0
    poll_seconds: float = 0.25


class Worker:
    """Reads every shard in its own thread, parents before children, and checkpoints what is acknowledged."""

    def __init__(
        self,
        streams: DynamoDBStreamsClient,
        stream_arn: str,
        checkpoints: Checkpoints,
        lease: Lease,
        deliver: EventSourceMapping,
        stop: threading.Event,
        clock: Clock,
        pace: Pace | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._streams = streams
        self._stream_arn = stream_arn
        self._checkpoints = checkpoints
        self._lease = lease
        self._mapping = deliver
        self._stop = stop
        self._clock = clock
        self._pace = pace or Pace()
        self._say = say or (lambda _: None)
        self._backoff = Backoff(first_seconds=0.2, longest_seconds=10.0)
        self._wake = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until told to stop. Raises what no retry can mend, with all progress kept."""
        try:
            self._stand_by()
            self._follow()
        except Stopping:
            pass
        finally:
            self._stop.set()
            for thread in self._threads.values():
                thread.join()
            self._lease.release()
        if self._failure:
            raise self._failure

    def _stand_by(self) -> None:
        """Wait for the lease."""
        told = False
        while not self._lease.acquire():
            if not told:
                self._say(f"standing by: worker {self._lease.holder()} holds the lease")
                told = True
            self._clock.sleep(self._lease.term_seconds / 4)
        self._say(f"reading the stream as worker {self._lease.owner}")

    def _follow(self) -> None:
        """Start what is to be read, keep the lease, until told to stop or something fails."""
        self._check_stream()
        discover_at = 0.0
        while not self._stop.is_set() and not self._failure:
            if not self._lease.renew():
                raise DynadexError("go on as worker", self._lease.owner, "another worker took the lease over")
            if self._wake.is_set() or self._clock.monotonic() >= discover_at:
                self._wake.clear()
                self._start_ready_shards()
                discover_at = self._clock.monotonic() + _DISCOVER_SECONDS
            self._wake.wait(min(self._lease.term_seconds / 3, _DISCOVER_SECONDS, 0.5))

    def _check_stream(self) -> None:
        """Checkpoints of another stream say nothing about this one: what came between is lost."""
        stale = self._checkpoints.stale()
        known = self._checkpoints.stream()
        if not stale and known and known != self._stream_arn:
            stale = f"the table's stream was replaced (it was {known})"
            self._checkpoints.mark_stale(stale)
        if stale:
            raise self._stale(stale)
        if not known:
            self._checkpoints.follow(self._stream_arn)

    def _start_ready_shards(self) -> None:
        checkpoints = self._checkpoints.load()
        finished = [shard_id for shard_id, checkpoint in checkpoints.items() if checkpoint.finished]
        try:
            shards = list_shards(self._streams, self._stream_arn)
        except SourceUnavailable as error:
            self._say(f"waiting: {error}")
            return
        found = plan(shards, checkpoints, finished)
        if found.lost:
            self._checkpoints.mark_stale(found.lost[0])
            raise self._stale(found.lost[0])
        for shard_id in found.forget:
            self._checkpoints.forget(shard_id)
        for shard_id in found.ready:
            if shard_id not in self._threads or not self._threads[shard_id].is_alive():
                self._start(shard_id, checkpoints.get(shard_id, Checkpoint(None)))

    def _start(self, shard_id: str, checkpoint: Checkpoint) -> None:
        thread = threading.Thread(
            target=self._read_shard_safely, args=(shard_id, checkpoint), name=f"shard {shard_id}", daemon=True
        )
        self._threads[shard_id] = thread
        thread.start()

    def _read_shard_safely(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """A shard's thread: whatever ends it is told to the main thread, which raises it."""
        try:
            self._read_shard(shard_id, checkpoint)
        except Stopping:
            return
        except StreamTrimmedError as error:
            self._checkpoints.mark_stale(error.reason)
            self._failure = error
        except BaseException as error:  # noqa: BLE001 - handed on, not swallowed
            self._failure = error
        finally:
            self._wake.set()

    def _read_shard(self, shard_id: str, checkpoint: Checkpoint) -> None:
        reader = ShardReader(self._streams, self._stream_arn, shard_id, checkpoint.position)
        progress = Acknowledged(checkpoint.position)

        def acknowledge(records: Sequence[Record]) -> None:
            before = progress.position
            progress.acknowledge([sequence_number(record) for record in records])
            if progress.position != before:
                self._checkpoints.save(shard_id, Checkpoint(progress.position))

        if checkpoint.position is None:
            # From now on this shard is known: should it be trimmed before it is read, that will be noticed.
            self._checkpoints.save(shard_id, checkpoint)
        ended = False
        while not ended and not self._stop.is_set():
            records, ended = self._next_batch(reader)
            progress.track([sequence_number(record) for record in records])
            if records:
                self._mapping.deliver(records, acknowledge)
            elif not ended:
                self._clock.sleep(self._pace.poll_seconds)
        if ended:
            self._checkpoints.save(shard_id, Checkpoint(progress.position, finished=True))

    def _next_batch(self, reader: ShardReader) -> tuple[list[Record], bool]:
        """Records for one batch: full, or waited for long enough, or the end of the shard."""
        records: list[Record] = []
        wait_until = self._clock.monotonic() + self._pace.batch_window_seconds
        for _ in range(_MOST_READS):
            read = self._patiently(reader, self._pace.batch_size - len(records))
            records += read.records
            full = len(records) >= self._pace.batch_size
            if full or read.ended or self._clock.monotonic() >= wait_until:
                return records, read.ended
            self._clock.sleep(min(self._pace.poll_seconds, max(0.0, wait_until - self._clock.monotonic())))
        return records, False

    def _patiently(self, reader: ShardReader, limit: int) -> Read:
        attempt = 0
        while True:
            try:
                return reader.read(limit)
            except SourceUnavailable as error:
                self._say(f"waiting: {error}")
                self._clock.sleep(self._backoff.pause(attempt))
                attempt += 1

    def _stale(self, reason: str) -> DynadexError:
        return StreamTrimmedError(
            "go on reading", self._stream_arn, f"the index is stale: {reason}",
            "Run `dynadex refill`, which brings the index up to date.",
        )  # fmt: skip
