"""`dynadex status`: what an operator needs at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.output import printable
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

if TYPE_CHECKING:
    from dynadex.aws.cloudwatch import FunctionStatus
    from dynadex.maintenance.status import DeadLetterStatus, IndexStatus, ShardStatus, StaleStatus, Status, WorkerStatus

NEEDS_ATTENTION = 1
_MAX_SHARDS = 8
_MAX_ID, _MAX_REASON = 24, 160
# Of the names of shards and positions, which are long and begin alike; --json has all of them.
_END = 8
# Counts that say something even when they are zero.
_NEVER_LEFT_OUT = ("items", "remaining")
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def status(
    sync: SyncReference,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_lag: Annotated[
        float | None, typer.Option("--max-lag", metavar="SECONDS", min=0, help="A lag above this needs attention.")
    ] = None,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Show table, indexes, lag, worker, dead-lettered keys and what was done last. Changes nothing.

    Where no worker has reported, CloudWatch is asked what the functions that are deployed as MODULE:ATTRIBUTE did in
    the last hour (cloudwatch:GetMetricData), and --max-lag holds their largest lag to the limit.

    What needs attention is marked with `!`: no index that is both searched and written, one that awaits its refill,
    a worker that fell silent, dead-lettered keys, an index declared stale, too large a lag. Then the exit code is 1.
    Examples:

        dynadex status lessons:sync

        dynadex status lessons:sync --max-lag 60 --json
    """
    from dynadex.maintenance.status import attention
    from dynadex.maintenance.status import status as look
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )
    found = look(connect(load_sync(sync), settings))
    marked = attention(found, max_lag)
    if as_json:
        print(json.dumps({**found.as_json(), "attention": marked}))
    else:
        print("\n".join(table(found, marked, sync)))
    if marked:
        raise typer.Exit(NEEDS_ATTENTION)


def table(found: Status, marked: tuple[str, ...], reference: str) -> Iterator[str]:
    """The lines of an aligned table; those in ``marked`` begin with an exclamation mark."""
    now = datetime.fromisoformat(found.checked_at)
    rows: dict[str, list[str]] = {
        "table": [f"{found.table}: {found.items:,} items (DynamoDB's estimate, up to 6 hours old)"],
        "index": list(_indexes(found.indexes)) or [f"none: `dynadex refill {reference}` creates it"],
        "lag": [_lag(found)],
        "shards": list(_shards(found.open_shards, found.finished_shards, now)),
        "worker": [_worker(found.worker)],
        **({"function": [_function(found.function)]} if found.function else {}),
        "dead letters": list(_dead_lettered(found.dead_letters, now, reference)),
    }
    rows |= {f"last {what}": [_done(one, now)] for what, one in found.last.items() if one or what != "rebuild"}
    if found.stale:
        rows["stale"] = list(_stale(found.stale, now, reference))
    width = max(map(len, rows))
    for label, lines in rows.items():
        yield f"{'!' if label in marked else ' '} {label:<{width}}  {lines[0]}"
        yield from (f"  {'':<{width}}  {line}" for line in lines[1:])


def _indexes(indexes: tuple[IndexStatus, ...]) -> Iterator[str]:
    name_width = max((len(one.name) for one in indexes), default=0)
    count_width = max((len(f"{one.documents:,}") for one in indexes), default=0)
    for one in indexes:
        size = "" if one.bytes is None else f", {one.bytes / 1e6:,.1f} MB"
        role = "searched" if one.searched else "being built" if one.building else "kept for rollback"
        awaits = ", awaits its refill" if one.unfilled else ""
        yield (
            f"{one.name:<{name_width}}  {one.documents:>{count_width},} documents{size}; "
            f"{role}, {'written' if one.written else 'not written'}{awaits}"
        )


def _lag(found: Status) -> str:
    seconds = found.known_lag_seconds
    if seconds is None:
        return "unknown: no worker has reported"
    return f"at most {_span(seconds)}{' in the last hour' if found.lag_seconds is None else ''}"


def _shards(shards: tuple[ShardStatus, ...], finished: int, now: datetime) -> Iterator[str]:
    yield f"{len(shards):,} open, {finished:,} finished"
    for one in shards[:_MAX_SHARDS]:
        name = one.id if len(one.id) <= _MAX_ID else f"…{one.id[-_END:]}"
        passed = f"applied up to {_ago(one.passed_at, now)}" if one.passed_at else "not known how far applied"
        saved = f", saved {_ago(one.saved_at, now)}" if one.saved_at else ""
        yield f"{name}: {passed}{saved}, {f'position …{one.position[-_END:]}' if one.position else 'nothing read yet'}"
    if len(shards) > _MAX_SHARDS:
        yield f"and {len(shards) - _MAX_SHARDS:,} more, none further behind (--json lists them)"


def _worker(worker: WorkerStatus | None) -> str:
    if worker is None:
        return "none holds the lease"
    if worker.silent_seconds is None:
        return worker.owner
    end = ": it ended without a word, start another" if worker.is_silent else ""
    return f"{worker.owner}, last heard of {_span(worker.silent_seconds)} ago{end}"


def _function(function: FunctionStatus) -> str:
    if function.unknown:
        return f"not known: {function.unknown}"
    if function.applied is None:
        return "last hour: no function of this Sync has reported"
    lag = "" if function.lag_seconds is None else f"lag at most {_span(function.lag_seconds)}, "
    counts = f"{function.dead_lettered:,} dead-lettered, {function.failed:,} failed"
    return f"last hour: {function.applied:,} changes applied, {lag}{counts}"


def _dead_lettered(dead_letters: DeadLetterStatus, now: datetime, reference: str) -> Iterator[str]:
    if not dead_letters.count:
        yield f"none in {dead_letters.where}"
        return
    about, letters = (
        "about " if dead_letters.estimated else "",
        "dead letter" if dead_letters.count == 1 else "dead letters",
    )
    yield f"{about}{dead_letters.count:,} {letters} in {dead_letters.where}: `dynadex redrive {reference}` retries them"
    if dead_letters.oldest_at and dead_letters.oldest_reason:
        identity = printable(dead_letters.oldest_id or "")
        yield f"oldest {_when(dead_letters.oldest_at, now)}: {identity}: {_cut(dead_letters.oldest_reason)}"


def _done(summary: Mapping[str, Any] | None, now: datetime) -> str:
    """When it ended, and what it counted, whatever that is."""
    if summary is None:
        return "never"
    counts = []
    for name, value in summary.items():
        if isinstance(value, int) and not isinstance(value, bool) and (value or name in _NEVER_LEFT_OUT):
            counts.append(f"{value:,} {name.replace('_', ' ')}")
        elif isinstance(value, Mapping):
            counts += [f"{count:,} {kind}" for kind, count in value.items() if count]
    when = _when(summary["finished_at"], now) if "finished_at" in summary else "some time ago"
    return f"{when}: {', '.join(counts)}" if counts else when


def _stale(stale: StaleStatus, now: datetime, reference: str) -> Iterator[str]:
    yield stale.reason
    if stale.answered_at:
        yield f"a refill mends it that began {_ago(stale.answered_at, now)}"
        yield f"should it have ended before it was complete: `dynadex refill {reference} --resume`"
    else:
        yield f"changes were lost: `dynadex refill {reference}` brings the index up to date"


def _when(time: str, now: datetime) -> str:
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return time
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({_ago(time, now)})"


def _ago(time: str, now: datetime) -> str:
    return f"{_span(max(0.0, (now - datetime.fromisoformat(time)).total_seconds()))} ago"


def _span(seconds: float) -> str:
    for unit, name in ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.1f} s"


def _cut(reason: str) -> str:
    line = printable(" ".join(reason.split()))
    return line if len(line) <= _MAX_REASON else f"{line[:_MAX_REASON]}…"
