"""Replays the table's stream after a load from an export, regardless of what a worker has applied before.

The items of an export have the version of its time, which may be hours ago. A later delete of an item may have been
applied long before the load, and its tombstone may have expired: the load then restores the document. Therefore the
stream is read again from its beginning. Replays change nothing, and the delete is one of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dynadex import clients
from dynadex.clock import iso
from dynadex.declaration import MIN_GC_DELETES_SECONDS
from dynadex.document.versioning import MICROSECONDS
from dynadex.errors import DynadexError, SearchUnavailable, SourceError
from dynadex.index.apply_records import apply_records
from dynadex.index.results import ApplyResult
from dynadex.retry import Backoff, Retrier
from dynadex.runtime import Runtime
from dynadex.source.shard_reader import ShardReader, StreamTrimmedError, list_shards
from dynadex.source.shards import Shard
from dynadex.source.stream_event import Record, time_us
from dynadex.source.table import translate

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_log = logging.getLogger(__name__)

_HOUR_US = 3600 * MICROSECONDS
# DynamoDB Streams keeps records for 24 hours. One of these hours is for the load.
_RETENTION_HOURS, _MAX_AGE_HOURS = 24, 23
_MAX_RECORDS = 1000
# An open shard may return an empty page although records follow, and does not report its end. About five empty pages
# lead through a whole empty shard, as measured by the authors of bloop (CALLS_TO_REACH_HEAD); AWS promises no number.
_EMPTY_READS, _EMPTY_SECONDS = 10, 0.2
# The tombstone of a delete that was applied longer ago than this may soon expire.
_FRESH_US = MIN_GC_DELETES_SECONDS * MICROSECONDS // 2
_NEW_EXPORT_HINT = "Take a new export, or run `dynadex refill` without one."


def check_age(export_time_us: int, now_us: int, max_hours: float = _MAX_AGE_HOURS) -> None:
    """Raise SourceError for an export that is older than the stream's records, because deletes could not be replayed.

    Also for an export from the future, whose items would have greater versions than every change until then. Times are
    in microseconds since the epoch.
    """
    hours = (now_us - export_time_us) / _HOUR_US
    if hours > max_hours:
        raise SourceError(
            "load", f"an export that is {hours:,.0f} hours old",
            "DynamoDB Streams keeps records for 24 hours, so items deleted since the export could be restored",
            _NEW_EXPORT_HINT,
        )  # fmt: skip
    if hours < 0:
        reason = f"it is in the future: the time of this machine is {iso(now_us)}"
        raise SourceError("load", f"an export from {iso(export_time_us)}", reason, "Set the clock of this machine.")


def check_stream(runtime: Runtime, export_time_us: int) -> None:
    """Raise SourceError if the table has no usable stream, or one that began after the export.

    Such a stream does not contain the deletes in between. Call this before loading anything.
    """
    arn = runtime.description.usable_stream()
    began_us = _began_us(clients.dynamodb_streams(runtime.settings), arn)
    if began_us is not None and began_us > export_time_us:
        raise SourceError(
            "load", f"an export from {iso(export_time_us)}",
            f"the table's stream began only at {iso(began_us)}, so items deleted in between could be restored",
            _NEW_EXPORT_HINT,
        )  # fmt: skip


def catch_up(
    runtime: Runtime,
    since_us: int,
    on_progress: Callable[[ApplyResult], None],
) -> ApplyResult:
    """Apply every stream record from ``since_us`` (microseconds since the epoch) up to now; return the counts.

    Independent of the position of a worker. ``on_progress`` is called with the counts after each batch. Waits for an
    unavailable table without a limit.

    Raises SourceError if the table has no usable stream, or if the stream no longer reaches back to ``since_us``, for
    example because the load took too long; SearchUnavailable if a batch could not be applied within the time of a
    slice. The call can then be repeated.
    """
    retry = Retrier(runtime.clock, _log)
    retry(lambda: check_stream(runtime, since_us))
    streams, arn = clients.dynamodb_streams(runtime.settings), runtime.description.usable_stream()
    # A change just after the export is tied with its item, and is reconciled.
    earliest_us = since_us - runtime.timing.margin_us - runtime.timing.window_us
    listed = partial(retry, lambda: in_order(list_shards(streams, arn)))
    total, done = ApplyResult(), set[str]()
    # List again, for shards that were created while others were read.
    while unread := [shard for shard in listed() if shard.shard_id not in done]:
        for shard in unread:
            open_reader = partial(ShardReader, streams, arn, shard.shard_id, None)
            is_listed = partial(_is_among, shard.shard_id, listed)
            for records in _read(runtime, retry, open_reader, shard, is_listed):
                check_age(since_us, runtime.clock.now_us(), _RETENTION_HOURS)
                later = [record for record in records if (_time_us(record) or since_us) >= earliest_us]
                if later:
                    total.add(_apply_all(runtime, later))
                    on_progress(total)
            done.add(shard.shard_id)
    check_age(since_us, runtime.clock.now_us(), _RETENTION_HOURS)
    return total


@dataclass(frozen=True, slots=True)
class Listed:
    """A listed shard. ``closed``: it has children, and therefore an end."""

    shard_id: str
    closed: bool


def in_order(shards: Sequence[Shard]) -> list[Listed]:
    """Return parents before their children, regardless of the order of the list. Pure.

    In another order, a delete could be applied, its tombstone expire, and an older put be applied after it.
    """
    parents = {shard.parent for shard in shards}
    waiting, listed = list(shards), list[Listed]()
    while waiting:
        unread = {shard.shard_id for shard in waiting}
        listed += [Listed(shard.shard_id, shard.shard_id in parents) for shard in waiting if shard.parent not in unread]
        waiting = [shard for shard in waiting if shard.parent in unread]
    return listed


def _read(
    runtime: Runtime,
    retry: Retrier,
    open_reader: Callable[[], ShardReader],
    shard: Listed,
    is_listed: Callable[[], bool],
) -> Iterator[Sequence[Record]]:
    """Yield the records of a shard from its beginning to its end or, if it is open, up to now."""
    until_us = runtime.clock.now_us()
    reader, empty_reads, trims = open_reader(), 0, 0
    while shard.closed or empty_reads < _EMPTY_READS:
        runtime.clock.sleep(_EMPTY_SECONDS if empty_reads or trims else 0)
        try:
            read = retry(partial(reader.read, _MAX_RECORDS))
        except StreamTrimmedError:
            if not is_listed():
                # No record of the shard remains: all are more than 24 hours old, older than the export.
                return
            # Trimmed after the iterator was created, possibly before its first use. The remaining records begin later.
            trims += 1
            if trims > _EMPTY_READS:
                raise
            reader = open_reader()
            continue
        trims = 0
        yield read.records
        empty_reads = 0 if read.records else empty_reads + 1
        if read.ended or (not shard.closed and _is_caught_up(read.records, until_us, runtime.clock.now_us())):
            return


def _is_caught_up(records: Sequence[Record], until_us: int, now_us: int) -> bool:
    """Whether the worker alone can apply the records that follow these, which are applied already. Pure.

    Every record up to ``until_us`` must be applied. If applying them took long, so must be the records that the worker
    applied in the meantime: the tombstone of a delete may have expired before an earlier put was applied again.
    """
    last_us = next((time for record in reversed(records) if (time := _time_us(record)) is not None), 0)
    return last_us > max(until_us, now_us - _FRESH_US)


def _apply_all(runtime: Runtime, records: Sequence[Record]) -> ApplyResult:
    """Apply records, retrying those that fail. Raises SearchUnavailable after the time of a slice."""
    backoff, attempt = Backoff(), 0
    deadline = runtime.clock.monotonic() + runtime.settings.refill_slice_seconds
    total = ApplyResult()
    while True:
        try:
            result = apply_records(runtime.indexer, records, deadline)
        except DynadexError as error:
            if not error.retryable:
                raise
            reason = str(error)
        else:
            total.add(result)
            if not result.failed:
                return total
            reason = next(iter(result.failed.values()))
            records = [record for record in records if record["dynamodb"]["SequenceNumber"] in result.failed]
        pause = backoff.pause(attempt)
        if runtime.clock.monotonic() + pause >= deadline:
            raise SearchUnavailable(
                "apply changes since the export to", runtime.sync.index, f"{len(records)} failed: {reason}",
                "Continue with `--resume` once the search cluster is available.",
            )  # fmt: skip
        runtime.clock.sleep(pause)
        attempt += 1


def _began_us(streams: DynamoDBStreamsClient, arn: str) -> int | None:
    """Return when the stream was created, in microseconds since the epoch; None if AWS does not report it."""
    try:
        created = streams.describe_stream(StreamArn=arn, Limit=1)["StreamDescription"].get("CreationRequestDateTime")
    except (ClientError, BotoCoreError) as error:
        raise translate(error, "describe stream", arn) from error
    return None if created is None else time_us(created)


def _is_among(shard_id: str, listed: Callable[[], Sequence[Listed]]) -> bool:
    return any(shard.shard_id == shard_id for shard in listed())


def _time_us(record: Record) -> int | None:
    # The handler of records rejects a record without a time.
    time = record["dynamodb"].get("ApproximateCreationDateTime")
    return time_us(time) if time is not None else None
