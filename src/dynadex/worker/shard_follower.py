"""Follows one shard: reads batches, delivers them, and saves the acknowledged position."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from dynadex.index.apply_records import Batch
from dynadex.retry import Retrier
from dynadex.source.prefetch import in_background
from dynadex.source.shard_reader import Read, ShardReader, StreamTrimmedError
from dynadex.state.checkpoints import Checkpoint, Checkpoints
from dynadex.state.state_table import StateError
from dynadex.worker.event_source_mapping import EventSourceMapping
from dynadex.worker.shard_progress import ShardProgress

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

# A batch is at most 6 MB, as with AWS; the next read returns up to 1 MB.
_FULL_BYTES = 5_000_000
# The maximum of GetRecords, which rejects a larger limit.
_MAX_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How the worker reads: ``batch_size`` in records, ``batch_window_seconds`` a batch may wait to fill up,
    ``poll_seconds`` between reads of a quiet shard."""

    batch_size: int = 1000
    batch_window_seconds: float = 0.0
    poll_seconds: float = 0.25


@dataclass(frozen=True, slots=True)
class _Read:
    """Records read together, whether the shard ended with them, and when the read began (wall clock)."""

    records: Batch
    ended: bool
    read_at_us: int


@dataclass(frozen=True, slots=True)
class FollowedStream:
    """A stream, and the checkpoints of its shards."""

    client: DynamoDBStreamsClient
    arn: str
    checkpoints: Checkpoints


@dataclass(frozen=True, slots=True)
class Delivery:
    """What happens to batches: ``prepare`` runs while the previous batch is written, ``mapping`` delivers."""

    mapping: EventSourceMapping
    prepare: Callable[[Batch], None]


class ShardFollower:
    """Follows the shards of one stream. Each shard has a thread, and all threads share this object."""

    def __init__(
        self,
        stream: FollowedStream,
        delivery: Delivery,
        stop: threading.Event,
        retry: Retrier,
        pace: Pace,
    ) -> None:
        self._stream = stream
        self._checkpoints = stream.checkpoints
        self._delivery = delivery
        self._stop = stop
        self._clock = retry.clock
        self._pace = pace
        self._retry = retry

    def follow(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Follow a shard to its end, or until ``stop`` is set. Raises errors that are not retryable."""
        reader = ShardReader(self._stream.client, self._stream.arn, shard_id, checkpoint.position)
        progress = ShardProgress(checkpoint, partial(self._save, shard_id), self._clock)
        if checkpoint.position is None:
            # Record the shard, so that a trim before its first read is detected.
            self._save(shard_id, checkpoint)
        try:
            self._deliver_all(reader, progress)
        except BaseException:
            # One attempt: the error must be raised now, even if the state table is unavailable.
            with suppress(StateError):
                progress.save(partial(self._checkpoints.save, shard_id))
            raise
        progress.save()

    def _deliver_all(self, reader: ShardReader, progress: ShardProgress) -> None:
        ahead: Future[_Read] | None = None
        ended = False
        while not ended and not self._stop.is_set():
            batch = ahead.result() if ahead else self._next_batch(reader)
            ahead, ended = None, batch.ended
            # Without a backlog, a read after the delivery finds new records sooner than a read ahead of it.
            backlog = len(batch.records) >= self._pace.batch_size and not ended
            progress.track(batch.records, backlog)
            if batch.records:
                if backlog:
                    ahead = in_background(partial(self._prepared_batch, reader))
                self._delivery.mapping.deliver(batch.records, progress.acknowledge)
            elif not ended:
                progress.idle(batch.read_at_us)
                self._clock.sleep(self._pace.poll_seconds)
        if ended:
            progress.finish()

    def _prepared_batch(self, reader: ShardReader) -> _Read:
        """Read the next batch and prepare it for writing."""
        batch = self._next_batch(reader)
        self._delivery.prepare(batch.records)
        return batch

    def _next_batch(self, reader: ShardReader) -> _Read:
        """Read records until the batch is full, its window has passed, or the shard has ended."""
        records, size = Batch(), 0
        read_at_us, wait_until = self._clock.now_us(), inf
        while True:
            read = self._read(reader, min(self._pace.batch_size - len(records), _MAX_RECORDS))
            if read.records and not records:
                # An empty batch does not wait, so that a quiet shard still reports its progress.
                wait_until = self._clock.monotonic() + self._pace.batch_window_seconds
            records += read.records
            size += sum(record["dynamodb"].get("SizeBytes", 0) for record in read.records)
            full = len(records) >= self._pace.batch_size or size >= _FULL_BYTES
            if not records or full or read.ended or self._clock.monotonic() >= wait_until:
                return _Read(records, read.ended, read_at_us)
            self._clock.sleep(min(self._pace.poll_seconds, max(0.0, wait_until - self._clock.monotonic())))

    def _read(self, reader: ShardReader, limit: int) -> Read:
        try:
            return self._retry(lambda: reader.read(limit))
        except StreamTrimmedError as error:
            reason = error.reason
            self._retry(lambda: self._checkpoints.mark_stale(reason))
            raise

    def _save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        self._retry(lambda: self._checkpoints.save(shard_id, checkpoint))
