"""What an operator wants to know of one sync: how large, how far, who works, what is left to do. Changes nothing."""

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
    """One physical index. ``bytes``: of one copy, None where the cluster does not tell."""

    name: str
    documents: int
    bytes: int | None
    searched: bool
    written: bool
    building: bool
    unfilled: bool = False


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """A shard that is noted and not read to its end. ``passed_at``: everything up to then is applied or
    dead-lettered."""

    id: str
    position: str | None
    saved_at: str | None
    passed_at: str | None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """Who holds the lease, and for how long it has said nothing; None: it kept no time."""

    owner: str
    renewed_at: str | None
    silent_seconds: float | None

    @property
    def is_silent(self) -> bool:
        """Whether it has ended without a word."""
        return self.silent_seconds is not None and self.silent_seconds > _SILENT_SECONDS


@dataclass(frozen=True, slots=True)
class DeadLetterStatus:
    """Dead letters in ``where``. The oldest is not told of a queue, whose count is ``estimated``, too."""

    where: str
    count: int
    estimated: bool
    oldest_id: str | None = None
    oldest_at: str | None = None
    oldest_reason: str | None = None


@dataclass(frozen=True, slots=True)
class StaleStatus:
    """Why the index is stale, and since when a refill is mending it; None: nobody is."""

    reason: str
    answered_at: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """All of it. Times are ISO times in UTC; None is what nobody knows.

    ``items`` is DynamoDB's estimate. ``lag_seconds``: ``checked_at`` minus ``passed_at``, before which every change is
    applied or dead-lettered. ``last``: the summary of the last refill, rebuild and verify, by name, None where there
    was none.
    ``function``: what Lambda functions do, where no worker has reported.
    """

    table: str
    items: int
    index: str
    indexes: tuple[IndexStatus, ...]
    checked_at: str
    passed_at: str | None
    lag_seconds: float | None
    open_shards: tuple[ShardStatus, ...]
    finished_shards: int
    worker: WorkerStatus | None
    dead_letters: DeadLetterStatus
    last: Mapping[str, Mapping[str, Any] | None]
    stale: StaleStatus | None
    function: FunctionStatus | None = None

    @property
    def known_lag_seconds(self) -> float | None:
        """The worker's lag, or the largest of the last hour where functions do its work."""
        if self.lag_seconds is None and self.function:
            return self.function.lag_seconds
        return self.lag_seconds

    def as_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def status(runtime: Runtime) -> Status:
    """Look at everything. Raises SourceError, SearchError, StateError or DeadLetterError for what cannot be looked
    at."""
    state = runtime.state()
    # What was never kept leaves no table, and asking for it must not make one.
    kept = state if state.exists() else None
    checkpoints = Checkpoints(kept, runtime.clock) if kept else None
    noted = checkpoints.load() if checkpoints else {}
    passed_us, now_us = passed_by(noted.values()), runtime.clock.now_us()
    history = LastRuns(kept) if kept else None
    return Status(
        table=runtime.sync.table,
        items=runtime.description.item_count,
        index=runtime.sync.index,
        indexes=_indexes(runtime),
        checked_at=iso(now_us),
        passed_at=None if passed_us is None else iso(passed_us),
        lag_seconds=None if passed_us is None else max(0, now_us - passed_us) / MICROSECONDS,
        open_shards=_open_shards(noted),
        finished_shards=sum(one.finished for one in noted.values()),
        worker=_worker(kept, now_us) if kept else None,
        dead_letters=_dead_letters(runtime),
        last={what: history.last(what) if history else None for what in HISTORY},
        stale=_stale(checkpoints) if checkpoints else None,
        function=None if noted else _function(runtime, now_us),
    )


def attention(found: Status, max_lag_seconds: float | None = None) -> tuple[str, ...]:
    """What somebody must look after: any of index, lag, worker, dead-lettered and stale. Pure.

    An unknown lag is above every limit.
    """
    searched = [one for one in found.indexes if one.searched]
    lag = found.known_lag_seconds
    needed = {
        "index": not searched or not all(one.written and not one.unfilled for one in searched),
        "lag": max_lag_seconds is not None and (lag is None or lag > max_lag_seconds),
        "worker": found.worker is not None and found.worker.is_silent,
        "dead letters": found.dead_letters.count > 0,
        "stale": found.stale is not None,
    }
    return tuple(what for what, is_needed in needed.items() if is_needed)


def _indexes(runtime: Runtime) -> tuple[IndexStatus, ...]:
    found = []
    for one in physical_indexes(runtime.index, runtime.sync.index):
        stats = runtime.index.stats(one.name)
        found.append(
            IndexStatus(one.name, stats.documents, stats.bytes, one.searched, one.written, one.building, one.unfilled)
        )
    # What is searched matters most; of the others the newest.
    return tuple(sorted(found, key=lambda one: (one.searched, one.name), reverse=True))


def _open_shards(noted: Mapping[str, Checkpoint]) -> tuple[ShardStatus, ...]:
    """The one furthest behind first."""
    found = [(shard_id, one) for shard_id, one in noted.items() if not one.finished]
    found.sort(key=lambda pair: (pair[1].passed_us or 0, pair[0]))
    return tuple(
        ShardStatus(shard_id, one.position, one.saved_at, None if one.passed_us is None else iso(one.passed_us))
        for shard_id, one in found
    )


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
    answered_us = checkpoints.recovering_since_us()
    return None if reason is None else StaleStatus(reason, None if answered_us is None else iso(answered_us))
