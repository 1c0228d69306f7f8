"""Follows one shard: reads batches, has them delivered, and keeps how far they are acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from dynadex.clock import Clock
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

# A batch is at most 6 MB, as AWS's is; the next read brings up to 1 MB.
_FULL_BYTES = 5_000_000
# GetRecords gives no more at once, and refuses to be asked for more.
_MAX_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How the worker reads. ``batch_window_seconds``: how long a batch may wait to fill up."""

    batch_size: int = 1000
    batch_window_seconds: float = 0.0
    poll_seconds: float = 0.25


@dataclass(frozen=True, slots=True)
class _Read:
    """Records read together, whether they are the shard's last, and when the reading began (wall clock)."""

    records: Batch
    ended: bool
    read_at_us: int


@dataclass(frozen=True, slots=True)
class FollowedStream:
    """A stream, and where each of its shards is acknowledged up to."""

    client: DynamoDBStreamsClient
    arn: str
    checkpoints: Checkpoints


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where batches go: ``prepare`` is called while the batch before is written, ``mapping`` delivers."""

    mapping: EventSourceMapping
    prepare: Callable[[Batch], None]


class ShardFollower:
    """What the threads that follow the shards of one stream share."""

    def __init__(
        self,
        stream: FollowedStream,
        delivery: Delivery,
        stop: threading.Event,
        clock: Clock,
        pace: Pace,
        retry: Retrier,
    ) -> None:
        self._stream = stream
        self._checkpoints = stream.checkpoints
        self._delivery = delivery
        self._stop = stop
        self._clock = clock
        self._pace = pace
        self._retry = retry

    def follow(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Follow a shard from its checkpoint to its end, or until told to stop. Raises what cannot pass."""
        reader = ShardReader(self._stream.client, self._stream.arn, shard_id, checkpoint.position)
        progress = ShardProgress(checkpoint, partial(self._save, shard_id), self._clock)
        if checkpoint.position is None:
            # From now on this shard is known: should it be trimmed before it is read, that will be noticed.
            self._save(shard_id, checkpoint)
        try:
            self._deliver_all(reader, progress)
        except BaseException:
            # Tried once: what ended this is told now, whether the state table answers or not.
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
            # Where there is no backlog, what arrives meanwhile is read sooner after.
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
        """As ``_next_batch``, and ready to be written."""
        batch = self._next_batch(reader)
        self._delivery.prepare(batch.records)
        return batch

    def _next_batch(self, reader: ShardReader) -> _Read:
        """Records for one batch: full, or waited for long enough, or the end of the shard."""
        records, size = Batch(), 0
        read_at_us, wait_until = self._clock.now_us(), inf
        while True:
            read = self._read(reader, min(self._pace.batch_size - len(records), _MAX_RECORDS))
            if read.records and not records:
                # Where nothing is to be delivered, nothing is waited for, and how far the shard is passed can be told.
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
