"""`dynadex status`: the state of a Sync at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynadex.cli.options import AsJson, DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.output import printable
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

if TYPE_CHECKING:
    from dynadex.aws.cloudwatch import FunctionStatus
    from dynadex.maintenance.status import DeadLetterStatus, IndexStatus, ShardStatus, StaleStatus, Status, WorkerStatus

NEEDS_ATTENTION = 1
_MAX_SHARDS = 8
_MAX_ID, _MAX_REASON = 24, 160
# Last characters to show of ids of shards and of positions, which are long and start alike. --json has them in full.
_END = 8
# Counts that are shown even if they are zero.
_ALWAYS_SHOWN = ("items", "remaining")
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0


def status(
    sync: SyncReference,
    as_json: AsJson = False,
    max_lag: Annotated[
        float | None, typer.Option("--max-lag", metavar="SECONDS", min=0, help="Mark a lag above this limit.")
    ] = None,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Show the state of a Sync.

    Shows the table, indexes, lag, shards, worker, dead letters and last runs. Changes nothing. If no worker has
    reported, the command reads the metrics of the Lambda functions deployed as MODULE:ATTRIBUTE for the last hour from
    CloudWatch (requires cloudwatch:GetMetricData), and --max-lag applies to their largest lag.

    A line that needs attention is marked with `!`, and the exit code is 1: no index is both searched and written, an
    index awaits its backfill, a worker sends no heartbeat, dead letters exist, the index is stale, or the lag is too
    large. Examples:

        dynadex status lessons:sync

        dynadex status lessons:sync --max-lag 60 --json
    """
    from dynadex.maintenance.status import attention
    from dynadex.maintenance.status import status as read_status
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )
    state = read_status(connect(load_sync(sync), settings))
    marked = attention(state, max_lag)
    if as_json:
        print(json.dumps({**state.as_json(), "attention": marked}))
    else:
        print("\n".join(table(state, marked, sync)))
    if marked:
        raise typer.Exit(NEEDS_ATTENTION)


def table(state: Status, marked: tuple[str, ...], reference: str) -> Iterator[str]:
    """Yield the lines of an aligned table. The rows in ``marked`` start with an exclamation mark."""
    now = datetime.fromisoformat(state.checked_at)
    rows: dict[str, list[str]] = {
        "table": [f"{state.table}: {state.items:,} items (DynamoDB's estimate, up to 6 hours old)"],
        "index": list(_indexes(state.indexes)) or [f"none: `dynadex refill {reference}` creates it"],
        "lag": [_lag(state)],
        "shards": list(_shards(state.open_shards, state.finished_shards, now)),
        "worker": [_worker(state.worker)],
        **({"function": [_function(state.function)]} if state.function else {}),
        "dead letters": list(_dead_lettered(state.dead_letters, now, reference)),
    }
    rows |= {f"last {run}": [_done(summary, now)] for run, summary in state.last.items() if summary or run != "rebuild"}
    if state.stale:
        rows["stale"] = list(_stale(state.stale, now, reference))
    width = max(map(len, rows))
    for label, lines in rows.items():
        yield f"{'!' if label in marked else ' '} {label:<{width}}  {lines[0]}"
        yield from (f"  {'':<{width}}  {line}" for line in lines[1:])


def _indexes(indexes: tuple[IndexStatus, ...]) -> Iterator[str]:
    name_width = max((len(index.name) for index in indexes), default=0)
    count_width = max((len(f"{index.documents:,}") for index in indexes), default=0)
    for index in indexes:
        size = "" if index.bytes is None else f", {index.bytes / 1e6:,.1f} MB"
        role = "searched" if index.searched else "being built" if index.building else "kept for rollback"
        awaits = ", awaits its backfill" if index.unfilled else ""
        yield (
            f"{index.name:<{name_width}}  {index.documents:>{count_width},} documents{size}; "
            f"{role}, {'written' if index.written else 'not written'}{awaits}"
        )


def _lag(state: Status) -> str:
    seconds = state.known_lag_seconds
    if seconds is None:
        return "unknown: no worker has reported"
    return f"at most {_span(seconds)}{' in the last hour' if state.lag_seconds is None else ''}"


def _shards(shards: tuple[ShardStatus, ...], finished: int, now: datetime) -> Iterator[str]:
    yield f"{len(shards):,} open, {finished:,} finished"
    for shard in shards[:_MAX_SHARDS]:
        name = shard.id if len(shard.id) <= _MAX_ID else f"…{shard.id[-_END:]}"
        applied = f"applied up to {_ago(shard.passed_at, now)}" if shard.passed_at else "applied up to an unknown time"
        saved = f", saved {_ago(shard.saved_at, now)}" if shard.saved_at else ""
        position = f"position …{shard.position[-_END:]}" if shard.position else "nothing read yet"
        yield f"{name}: {applied}{saved}, {position}"
    if len(shards) > _MAX_SHARDS:
        yield f"and {len(shards) - _MAX_SHARDS:,} more, none further behind (--json lists them)"


def _worker(worker: WorkerStatus | None) -> str:
    if worker is None:
        return "no worker holds the lease"
    if worker.silent_seconds is None:
        return worker.owner
    advice = ": it has probably ended, start another worker" if worker.is_silent else ""
    return f"{worker.owner}, last heartbeat {_span(worker.silent_seconds)} ago{advice}"


def _function(function: FunctionStatus) -> str:
    if function.unknown:
        return f"unknown: {function.unknown}"
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
    """Return when a run ended, with all of its counts."""
    if summary is None:
        return "never"
    counts = []
    for name, value in summary.items():
        if isinstance(value, int) and not isinstance(value, bool) and (value or name in _ALWAYS_SHOWN):
            counts.append(f"{value:,} {name.replace('_', ' ')}")
        elif isinstance(value, Mapping):
            counts += [f"{count:,} {kind}" for kind, count in value.items() if count]
    when = _when(summary["finished_at"], now) if "finished_at" in summary else "at an unknown time"
    return f"{when}: {', '.join(counts)}" if counts else when


def _stale(stale: StaleStatus, now: datetime, reference: str) -> Iterator[str]:
    yield stale.reason
    if stale.recovery_began_at:
        yield f"the backfill that started {_ago(stale.recovery_began_at, now)} restores it"
        yield f"if that backfill was interrupted: `dynadex refill {reference} --resume`"
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
