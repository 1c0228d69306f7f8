"""After a load from an export: apply what the table's stream holds since then, whoever applied it before.

The items of an export carry the version of its time, hours ago perhaps. The delete of an item since then may have been
applied long before the load, and its tombstone be forgotten: the load brings the item back. So the stream is read once
more, from where it begins; replays change nothing, and the delete is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from dynadex import clients
from dynadex.clock import Backoff
from dynadex.errors import SearchUnavailable, SourceError
from dynadex.index.tally import Tally
from dynadex.run.patience import Patience
from dynadex.run.records import apply_records
from dynadex.run.wiring import Runtime
from dynadex.source.shard_reader import ShardReader, StreamTrimmedError, list_shards
from dynadex.source.shards import Shard
from dynadex.source.stream_event import Record, time_us

_HOUR_US = 3_600_000_000
# DynamoDB Streams keep records for 24 hours; an hour of that is for the load.
_KEPT_HOURS, _OLDEST_HOURS = 24, 23
_MOST_RECORDS = 1000
_EMPTY_READS, _EMPTY_SECONDS = 10, 0.2
_ATTEMPTS = 8


def check_age(export_time_us: int, now_us: int, oldest_hours: float = _OLDEST_HOURS) -> None:
    """Raise SourceError for an export from before what the stream remembers: deletes since could not be replayed."""
    hours = (now_us - export_time_us) / _HOUR_US
    if hours > oldest_hours:
        raise SourceError(
            "load", f"an export that is {hours:,.0f} hours old",
            "DynamoDB Streams remember 24 hours: what was deleted since the export could come back",
            "Take a new export, or run `dynadex refill` without one.",
        )  # fmt: skip


def catch_up(runtime: Runtime, since_us: int, on_progress: Callable[[Tally], None]) -> Tally:
    """Apply every stream record from ``since_us`` (microseconds since the epoch) on, up to now; what was done.

    Independent of where a worker stands. Raises SourceError when the table has no usable stream, or the load took so
    long that the stream no longer remembers; SearchUnavailable when the cluster does not take the changes in time,
    and then it can simply be done again.
    """
    streams = clients.dynamodb_streams(runtime.settings)
    arn = runtime.description.usable_stream()
    patience = Patience(lambda _: None, runtime.clock)
    total = Tally()
    for shard in in_order(patience(lambda: list_shards(streams, arn))):
        for records in _read(runtime, patience, partial(ShardReader, streams, arn, shard.shard_id, None), shard):
            late = [one for one in records if _time_us(one) >= since_us - runtime.timing.margin_us]
            if late:
                total.add(_applied(runtime, patience, late))
                on_progress(total)
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
        ready = [shard for shard in waiting if shard.parent not in unread]
        listed += [Listed(shard.shard_id, shard.shard_id in parents) for shard in ready]
        waiting = [shard for shard in waiting if shard not in ready]
    return listed


def _read(
    runtime: Runtime, patience: Patience, open_reader: Callable[[], ShardReader], shard: Listed
) -> Iterator[Sequence[Record]]:
    """A shard's records from its beginning to its end or, where it is still written to, up to now."""
    until_us = runtime.clock.now_us()
    reader, started, empty = open_reader(), False, 0
    while shard.closed or empty < _EMPTY_READS:
        runtime.clock.sleep(_EMPTY_SECONDS if empty else 0)
        try:
            read = patience(lambda: reader.read(_MOST_RECORDS))  # noqa: B023 - called at once
        except StreamTrimmedError:
            if not started:
                # Nothing of it is left: all of it is more than 24 hours old, older than the export.
                return
            reader, started = open_reader(), False
            continue
        started = True
        yield read.records
        # A shard answers with nothing now and then, although there is more.
        empty = 0 if read.records else empty + 1
        if read.ended or (not shard.closed and read.records and _time_us(read.records[-1]) > until_us):
            return


def _applied(runtime: Runtime, patience: Patience, records: Sequence[Record]) -> Tally:
    backoff = Backoff()
    done = Tally()
    for attempt in range(_ATTEMPTS):
        deadline = runtime.clock.monotonic() + runtime.settings.longest_invocation_seconds
        tally = patience(lambda: apply_records(runtime.indexer, records, deadline))  # noqa: B023 - called at once
        done.add(tally)
        if not tally.failed:
            return done
        records = [one for one in records if one["dynamodb"]["SequenceNumber"] in tally.failed]
        runtime.clock.sleep(backoff.pause(attempt))
    reason = next(iter(tally.failed.values()))
    raise SearchUnavailable(
        "apply changes since the export to", runtime.sync.index, f"{len(records)} failed: {reason}",
        "Go on with `--resume` once it is well.",
    )  # fmt: skip


def _time_us(record: Record) -> int:
    # A record without its time is for whoever handles it to refuse.
    time = record["dynamodb"].get("ApproximateCreationDateTime")
    return time_us(time) if time is not None else 1 << 62
