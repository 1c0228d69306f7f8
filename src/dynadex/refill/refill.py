"""`dynadex refill`: load an index from its table or an export, in this process, and save a position to resume from."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from dynadex.clock import Clock, iso
from dynadex.index.sweep import Swept
from dynadex.refill.item_source import ItemSource
from dynadex.refill.plan import RefillPlan, choose_segments, prepare, sweep_all
from dynadex.refill.saved_plan import SavedPlan
from dynadex.refill.segments import OnProgress, RefillProgress, SegmentRunner, ignore_progress
from dynadex.runtime import Runtime
from dynadex.source.shards import STREAM_RETENTION_US
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.last_runs import LastRuns
from dynadex.state.refill_state import RefillState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefillOptions:
    """Options of a backfill.

    ``segments`` are scanned in parallel (None: chosen by the size of table and cluster). ``read_capacity`` limits all
    of them together, in capacity units per second. ``resume`` continues an unfinished backfill. ``from_export`` is the
    folder or S3 prefix of an export to read instead of the table.
    """

    segments: int | None = None
    read_capacity: float | None = None
    resume: bool = False
    from_export: str | None = None


@dataclass(slots=True)
class Refilled:
    """Result of a backfill, including the attempts that it resumed."""

    plan: RefillPlan
    progress: RefillProgress
    swept: Swept = field(default_factory=Swept)


def refill(
    runtime: Runtime, options: RefillOptions, stop: threading.Event, on_progress: OnProgress = ignore_progress
) -> Refilled:
    """Load the whole index, then delete orphans. Ends the staleness of an index that was declared stale before.

    Raises SearchError, SourceError or StateError, and Stopping once ``stop`` is set, which the runtime's clock must
    respect. In each case the position is kept, so that ``resume`` continues from it.
    """
    checkpoints = runtime.checkpoints()
    run = RefillRun(runtime, options, RefillState(runtime.state()), stop, on_progress)
    plan = run.saved_plan.resume() if options.resume else None
    if plan and checkpoints.stale() and checkpoints.recovering_since_us() != plan.started_at_us:
        _log.warning("the index became stale after the unfinished backfill began: starting from the beginning")
        plan = None
    if plan is None:
        plan = _begin(runtime, run, checkpoints)
    segments = "one segment" if plan.segments == 1 else f"{plan.segments} parallel segments"
    _log.info(
        f"writing to {', '.join(plan.indexes)} from {run.source} in {segments}",
        extra={"indexes": list(plan.indexes), "source": str(run.source), "segments": plan.segments},
    )
    refilled = run.load(plan)
    _end_staleness(checkpoints, plan, runtime.clock)
    run.finish(refilled)
    return refilled


def _begin(runtime: Runtime, run: RefillRun, checkpoints: Checkpoints) -> RefillPlan:
    """Make and save the plan of a new backfill."""
    plan = prepare(runtime, run.choose_segments())
    if checkpoints.stale():
        # Before the first page is read: a worker can now read the changes that the stream drops from here on.
        checkpoints.begin_recovery(plan.started_at_us)
        _log.info("the index is stale: a worker that starts now reads the stream from its beginning")
    run.saved_plan.begin(plan)
    return plan


def _end_staleness(checkpoints: Checkpoints, plan: RefillPlan, clock: Clock) -> None:
    """Clear the mark of a stale index, unless changes may have been lost since the backfill began."""
    unread = checkpoints.stale() and not checkpoints.stream()
    if unread and clock.now_us() - plan.started_at_us > STREAM_RETENTION_US:
        _log.warning(
            "no worker has read the stream since this backfill began, more than 24 hours ago, so the index stays "
            "stale: run the backfill again while a worker runs"
        )
    elif checkpoints.end_recovery(plan.started_at_us):
        _log.info("the index is no longer stale")
    elif checkpoints.stale():
        _log.warning("the index became stale during this backfill: run the backfill again")


class RefillRun:
    """The steps that a backfill and a rebuild share: choose segments, load them, sweep, and record the result.

    Raises SourceError if the options name an export that cannot be used.
    """

    def __init__(
        self,
        runtime: Runtime,
        options: RefillOptions,
        state: RefillState,
        stop: threading.Event,
        on_progress: OnProgress,
    ) -> None:
        self.source = ItemSource(runtime, options.from_export, options.read_capacity)
        self.saved_plan = SavedPlan(runtime, state, str(self.source))
        self._runtime = runtime
        self._options = options
        self._state = state
        self._segments = SegmentRunner(runtime, self.source, state, stop, on_progress)

    def choose_segments(self) -> int:
        """Return the number of parallel segments: the option, or a suitable number. Raises SearchUnavailable."""
        return self._options.segments or choose_segments(self._runtime, self.source.item_count)

    def load(self, plan: RefillPlan) -> Refilled:
        """Load what is not loaded yet, then delete orphans. Raises as ``refill`` does."""
        progress = self._segments.run(plan)
        if self.source.export:
            from dynadex.refill.replay import catch_up

            plan = replace(plan, started_at_us=self.source.export.export_time_us)
            _log.info("replaying the stream since the export")
            progress.result.add(catch_up(self._runtime, plan.started_at_us, lambda _: None))
        return Refilled(plan, progress, sweep_all(self._runtime, plan, _log_swept))

    def finish(self, refilled: Refilled) -> None:
        """Drop the position, and record the result for `dynadex status`."""
        self._state.clear()
        LastRuns(self._runtime.state()).note(self._state.kind, summary(self._runtime.clock, refilled))


def _log_swept(index: str, swept: Swept) -> None:
    _log.info(
        f"swept index {index}: {swept.listed:,} documents, {swept.deleted:,} orphans deleted",
        extra={"index": index, "documents": swept.listed, "orphans": swept.deleted},
    )


def summary(clock: Clock, refilled: Refilled) -> dict[str, Any]:
    """Return the counts and times of a backfill as plain JSON, for `dynadex status`."""
    result = refilled.progress.result
    return {
        "started_at": iso(refilled.plan.started_at_us),
        "finished_at": iso(clock.now_us()),
        "indexes": list(refilled.plan.indexes),
        "items": refilled.progress.items,
        "written": result.applied,
        "not_indexed": result.not_indexed,
        "superseded": result.superseded,
        "dead_lettered": result.dead_lettered,
        "swept": refilled.swept.deleted,
    }
