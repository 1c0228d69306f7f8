"""After a load from an export: apply what the table's stream holds since then, whoever applied it before.

The items of an export carry the version of its time, hours ago perhaps. The delete of an item since then may have been
applied long before the load, and its tombstone be forgotten: the load brings the item back. So the stream is read once
more, from where it begins; replays change nothing, and the delete is among them.
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
# DynamoDB Streams keep records for 24 hours; an hour of that is for the load.
_KEPT_HOURS, _OLDEST_HOURS = 24, 23
_MAX_RECORDS = 1000
# An open shard may answer with nothing although there is more, and nothing tells its end. About five such answers lead
# through a whole empty shard, by measurements published with bloop (CALLS_TO_REACH_HEAD); AWS promises no number.
_EMPTY_READS, _EMPTY_SECONDS = 10, 0.2
# A delete that a worker applied longer ago than this may soon have no tombstone.
_FRESH_US = MIN_GC_DELETES_SECONDS * MICROSECONDS // 2
_ANEW = "Take a new export, or run `dynadex refill` without one."


def check_age(export_time_us: int, now_us: int, oldest_hours: float = _OLDEST_HOURS) -> None:
    """Raise SourceError for an export from before what the stream remembers: deletes since could not be replayed.

    And for one of the future, whose items would outrank every change until then. Times are in microseconds since the
    epoch.
    """
    hours = (now_us - export_time_us) / _HOUR_US
    if hours > oldest_hours:
        raise SourceError(
            "load", f"an export that is {hours:,.0f} hours old",
            "DynamoDB Streams remember 24 hours: what was deleted since the export could come back", _ANEW,
        )  # fmt: skip
    if hours < 0:
        reason = f"this machine's clock says {iso(now_us)}"
        raise SourceError("load", f"an export of {iso(export_time_us)}", reason, "Set the clock.")


def check_stream(runtime: Runtime, export_time_us: int) -> None:
    """Raise SourceError when the table has no usable stream, or one that began after the export.

    What was deleted in between, no stream ever told. Best asked before anything is loaded.
    """
    arn = runtime.description.usable_stream()
    began_us = _began_us(clients.dynamodb_streams(runtime.settings), arn)
    if began_us is not None and began_us > export_time_us:
        raise SourceError(
            "load", f"an export of {iso(export_time_us)}",
            f"the table's stream began only at {iso(began_us)}: what was deleted in between could come back", _ANEW,
        )  # fmt: skip


def catch_up(
    runtime: Runtime,
    since_us: int,
    on_progress: Callable[[ApplyResult], None],
) -> ApplyResult:
    """Apply every stream record from ``since_us`` (microseconds since the epoch) on, up to now; what was done.

    Independent of where a worker stands. ``on_progress`` is called with the same after each batch. Waits for
    unavailable backends for as long as it takes.
    Raises SourceError when the table has no usable stream, or one that does not reach back as far, be it that the load
    took so long; SearchUnavailable or SourceUnavailable when a batch could not be applied in the time of a slice, and
    then it can simply be done again.
    """
    retry = Retrier(runtime.clock, _log)
    retry(lambda: check_stream(runtime, since_us))
    streams, arn = clients.dynamodb_streams(runtime.settings), runtime.description.usable_stream()
    # A change that the export may have missed by a moment ties with its item, and is reconciled.
    earliest_us = since_us - runtime.timing.margin_us - runtime.timing.window_us
    listed = partial(retry, lambda: in_order(list_shards(streams, arn)))
    total, done = ApplyResult(), set[str]()
    # Once more, for shards that came while others were read.
    while unread := [shard for shard in listed() if shard.shard_id not in done]:
        for shard in unread:
            open_reader = partial(ShardReader, streams, arn, shard.shard_id, None)
            is_listed = partial(_is_among, shard.shard_id, listed)
            for records in _read(runtime, retry, open_reader, shard, is_listed):
                check_age(since_us, runtime.clock.now_us(), _KEPT_HOURS)
                late = [one for one in records if (_time_us(one) or since_us) >= earliest_us]
                if late:
                    total.add(_applied(runtime, late))
                    on_progress(total)
            done.add(shard.shard_id)
    check_age(since_us, runtime.clock.now_us(), _KEPT_HOURS)
    return total


@dataclass(frozen=True, slots=True)
class Listed:
    """A shard of a listing; ``closed``: others follow it, so that it has an end."""

    shard_id: str
    closed: bool


def in_order(shards: Sequence[Shard]) -> list[Listed]:
    """Parents before their children, whatever order they were listed in. Pure.

    The other way round, a delete could be applied, its tombstone be forgotten, and an older put come after it.
    """
    parents = {shard.parent for shard in shards}
    waiting, listed = list(shards), list[Listed]()
    while waiting:
        unread = {shard.shard_id for shard in waiting}
        listed += [Listed(one.shard_id, one.shard_id in parents) for one in waiting if one.parent not in unread]
        waiting = [shard for shard in waiting if shard.parent in unread]
    return listed


def _read(
    runtime: Runtime,
    retry: Retrier,
    open_reader: Callable[[], ShardReader],
    shard: Listed,
    is_listed: Callable[[], bool],
) -> Iterator[Sequence[Record]]:
    """A shard's records from its beginning to its end or, where it is still written to, up to now."""
    until_us = runtime.clock.now_us()
    reader, empty, trimmed = open_reader(), 0, 0
    while shard.closed or empty < _EMPTY_READS:
        runtime.clock.sleep(_EMPTY_SECONDS if empty or trimmed else 0)
        try:
            read = retry(partial(reader.read, _MAX_RECORDS))
        except StreamTrimmedError:
            if not is_listed():
                # Nothing of it is left: all of it is more than 24 hours old, older than the export.
                return
            # Trimmed since the iterator was handed out, at its first use even; what is left begins later.
            trimmed += 1
            if trimmed > _EMPTY_READS:
                raise
            reader = open_reader()
            continue
        trimmed = 0
        yield read.records
        empty = 0 if read.records else empty + 1
        if read.ended or (not shard.closed and _is_caught_up(read.records, until_us, runtime.clock.now_us())):
            return


def _is_caught_up(records: Sequence[Record], until_us: int, now_us: int) -> bool:
    """Whether what follows these records, applied by now, is for the worker alone.

    Everything up to ``until_us`` must be among them. And if applying them took long, so must what the worker applied
    meanwhile: the delete that follows a put may have lost its tombstone before the put was applied again. Pure.
    """
    last_us = next((time for one in reversed(records) if (time := _time_us(one)) is not None), 0)
    return last_us > max(until_us, now_us - _FRESH_US)


def _applied(runtime: Runtime, records: Sequence[Record]) -> ApplyResult:
    """Apply records; none of them is left when this returns. One slice's time is all there is for it."""
    backoff, attempt = Backoff(), 0
    give_up_at = runtime.clock.monotonic() + runtime.settings.refill_slice_seconds
    done = ApplyResult()
    while True:
        try:
            tally = apply_records(runtime.indexer, records, give_up_at)
        except DynadexError as error:
            if not error.retryable:
                raise
            reason = str(error)
        else:
            done.add(tally)
            if not tally.failed:
                return done
            reason = next(iter(tally.failed.values()))
            records = [one for one in records if one["dynamodb"]["SequenceNumber"] in tally.failed]
        pause = backoff.pause(attempt)
        if runtime.clock.monotonic() + pause >= give_up_at:
            raise SearchUnavailable(
                "apply changes since the export to", runtime.sync.index, f"{len(records)} failed: {reason}",
                "Go on with `--resume` once it is well.",
            )  # fmt: skip
        runtime.clock.sleep(pause)
        attempt += 1


def _began_us(streams: DynamoDBStreamsClient, arn: str) -> int | None:
    """When the stream was created, in microseconds since the epoch, by DescribeStream; None where it is not told."""
    try:
        created = streams.describe_stream(StreamArn=arn, Limit=1)["StreamDescription"].get("CreationRequestDateTime")
    except (ClientError, BotoCoreError) as error:
        raise translate(error, "describe stream", arn) from error
    return None if created is None else time_us(created)


def _is_among(shard_id: str, listed: Callable[[], Sequence[Listed]]) -> bool:
    return any(shard.shard_id == shard_id for shard in listed())


def _time_us(record: Record) -> int | None:
    # A record without its time is for whoever handles it to refuse.
    time = record["dynamodb"].get("ApproximateCreationDateTime")
    return time_us(time) if time is not None else None
