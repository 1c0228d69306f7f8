"""Reads the state of one Sync for an operator: indexes, lag, worker, dead letters, last runs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dynadex import clients
from dynadex.aws.cloudwatch import FunctionStatus, function_status
from dynadex.clock import iso
from dynadex.document.versioning import MICROSECONDS
from dynadex.index.lifecycle import physical_indexes
from dynadex.runtime import Runtime
from dynadex.state.checkpoints import Checkpoint, Checkpoints, passed_by
from dynadex.state.last_runs import LastRuns
from dynadex.state.lease import holder_of_lease
from dynadex.state.state_table import StateTable

# A worker renews its lease every few seconds.
_SILENT_SECONDS = 60.0
HISTORY = ("refill", "rebuild", "verify")


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """One physical index."""

    name: str
    documents: int
    bytes: int | None
    """Size of one copy; None if the cluster does not report it."""
    searched: bool
    """Whether searches use it."""
    written: bool
    """Whether writers write to it."""
    building: bool
    """Whether a rebuild is filling it."""
    unfilled: bool = False
    """Whether a backfill must still load the items that are older than the index."""


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """Progress in one shard that is not finished."""

    id: str
    position: str | None
    """Last acknowledged sequence number; None before the first."""
    saved_at: str | None
    """Time of the checkpoint."""
    passed_at: str | None
    """Time up to which every change is applied or dead-lettered; None if unknown."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """The worker that holds the lease."""

    owner: str
    renewed_at: str | None
    """Time of its last heartbeat, by its own clock; None if an older version stored none."""
    silent_seconds: float | None
    """Time since then."""

    @property
    def is_silent(self) -> bool:
        """Whether it has sent no heartbeat for so long that it must have ended."""
        return self.silent_seconds is not None and self.silent_seconds > _SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class DeadLetterStatus:
    """The dead letters in a file or queue."""

    where: str
    count: int
    estimated: bool
    """Whether the count is an estimate, as that of a queue."""
    oldest_id: str | None = None
    """Document id of the oldest dead letter, or its sequence number; None for a queue, as the fields below."""
    oldest_at: str | None = None
    oldest_reason: str | None = None


@dataclass(frozen=True, slots=True)
class StaleStatus:
    """Why the index is stale."""

    reason: str
    recovery_began_at: str | None
    """When the backfill began that brings the index up to date; None if none has begun."""


@dataclass(frozen=True, slots=True)
class Status:
    """State of one Sync. Times are ISO times in UTC; None means unknown."""

    table: str
    items: int
    """DynamoDB's estimate of the number of items."""
    index: str
    indexes: tuple[IndexStatus, ...]
    """The index that searches use, then the others, newest first."""
    checked_at: str
    passed_at: str | None
    """Time up to which every change is applied or dead-lettered."""
    lag_seconds: float | None
    """``checked_at`` minus ``passed_at``."""
    open_shards: tuple[ShardStatus, ...]
    """The shard with the largest lag first."""
    finished_shards: int
    worker: WorkerStatus | None
    """None if no worker holds the lease."""
    dead_letters: DeadLetterStatus
    last: Mapping[str, Mapping[str, Any] | None]
    """Summary of the last `refill`, `rebuild` and `verify`, by name; None if there was none."""
    stale: StaleStatus | None
    """None if the index is not stale."""
    function: FunctionStatus | None = None
    """What Lambda functions reported; None if a worker has checkpoints."""

    @property
    def known_lag_seconds(self) -> float | None:
        """Lag of the worker or, if functions do its work, their largest lag of the last hour."""
        if self.lag_seconds is None and self.function:
            return self.function.lag_seconds
        return self.lag_seconds

    def as_json(self) -> dict[str, Any]:
        """Return the status as plain JSON."""
        return asdict(self)


def status(runtime: Runtime) -> Status:
    """Read the state of a Sync. Raises SourceError, SearchError, StateError or DeadLetterError."""
    table = runtime.state()
    # Without a worker there is no state table, and reading the status must not create it.
    state = table if table.exists() else None
    stored = Checkpoints(state, runtime.clock) if state else None
    checkpoints = stored.load() if stored else {}
    passed_us, now_us = passed_by(checkpoints.values()), runtime.clock.now_us()
    history = LastRuns(state) if state else None
    return Status(
        table=runtime.sync.table,
        items=runtime.description.item_count,
        index=runtime.sync.index,
        indexes=_indexes(runtime),
        checked_at=iso(now_us),
        passed_at=None if passed_us is None else iso(passed_us),
        lag_seconds=None if passed_us is None else max(0, now_us - passed_us) / MICROSECONDS,
        open_shards=_open_shards(checkpoints),
        finished_shards=sum(checkpoint.finished for checkpoint in checkpoints.values()),
        worker=_worker(state, now_us) if state else None,
        dead_letters=_dead_letters(runtime),
        last={what: history.last(what) if history else None for what in HISTORY},
        stale=_stale(stored) if stored else None,
        function=None if checkpoints else _function(runtime, now_us),
    )


def attention(status: Status, max_lag_seconds: float | None = None) -> tuple[str, ...]:
    """Return what needs attention: any of index, lag, worker, dead letters and stale. Pure.

    An unknown lag exceeds every limit.
    """
    searched = [index for index in status.indexes if index.searched]
    lag = status.known_lag_seconds
    needed = {
        "index": not searched or not all(index.written and not index.unfilled for index in searched),
        "lag": max_lag_seconds is not None and (lag is None or lag > max_lag_seconds),
        "worker": status.worker is not None and status.worker.is_silent,
        "dead letters": status.dead_letters.count > 0,
        "stale": status.stale is not None,
    }
    return tuple(what for what, is_needed in needed.items() if is_needed)


def _indexes(runtime: Runtime) -> tuple[IndexStatus, ...]:
    """The index that searches use, then the others, newest first."""
    statuses = []
    for index in physical_indexes(runtime.index, runtime.sync.index):
        stats = runtime.index.stats(index.name)
        statuses.append(
            IndexStatus(
                index.name, stats.documents, stats.bytes,
                index.searched, index.written, index.building, index.unfilled,
            )
        )  # fmt: skip
    return tuple(sorted(statuses, key=lambda index: (index.searched, index.name), reverse=True))


def _open_shards(checkpoints: Mapping[str, Checkpoint]) -> tuple[ShardStatus, ...]:
    """The shards that are not finished, the one with the largest lag first."""
    unfinished = [(shard_id, checkpoint) for shard_id, checkpoint in checkpoints.items() if not checkpoint.finished]
    unfinished.sort(key=lambda pair: (pair[1].passed_us or 0, pair[0]))
    return tuple(
        ShardStatus(
            shard_id, checkpoint.position, checkpoint.saved_at,
            None if checkpoint.passed_us is None else iso(checkpoint.passed_us),
        )
        for shard_id, checkpoint in unfinished
    )  # fmt: skip


def _worker(state: StateTable, now_us: int) -> WorkerStatus | None:
    holder = holder_of_lease(state)
    if holder is None:
        return None
    if holder.renewed_at is None:
        return WorkerStatus(holder.owner, None, None)
    silent = max(0.0, now_us / MICROSECONDS - holder.renewed_at.timestamp())
    return WorkerStatus(holder.owner, holder.renewed_at.isoformat(timespec="milliseconds"), round(silent, 3))


def _function(runtime: Runtime, now_us: int) -> FunctionStatus:
    return function_status(clients.cloudwatch(runtime.settings), runtime.sync, now_us)


def _dead_letters(runtime: Runtime) -> DeadLetterStatus:
    backlog, where = runtime.dead_letters.backlog(), runtime.settings.dead_letters_location
    oldest = backlog.oldest
    if oldest is None:
        return DeadLetterStatus(where, backlog.count, backlog.estimated)
    identity = oldest.id or oldest.sequence_number
    return DeadLetterStatus(where, backlog.count, backlog.estimated, identity, oldest.dead_lettered_at, oldest.reason)


def _stale(checkpoints: Checkpoints) -> StaleStatus | None:
    reason = checkpoints.stale()
    recovery_began_us = checkpoints.recovering_since_us()
    return (
        None if reason is None else StaleStatus(reason, None if recovery_began_us is None else iso(recovery_began_us))
    )
