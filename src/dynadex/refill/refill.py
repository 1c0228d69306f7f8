"""`dynadex refill`: the slices of every segment at once, in this process, with a state to go on from."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from dynadex import clients
from dynadex.clock import Clock, Stopping, iso
from dynadex.index.results import ApplyResult
from dynadex.index.sweep import Swept
from dynadex.refill.plan import RefillPlan, choose_segments, prepare, sweep_all
from dynadex.refill.slices import Slice, run_slice
from dynadex.runtime import Runtime
from dynadex.source.read_capacity import ReadCapacity
from dynadex.source.shards import STREAM_RETENTION_US
from dynadex.source.table_scan import Page, Pages
from dynadex.state.last_runs import LastRuns
from dynadex.state.refill_state import RefillState, SegmentState

if TYPE_CHECKING:
    from dynadex.source.export import Export

_log = logging.getLogger(__name__)

_COUNTED = ("applied", "not_indexed", "superseded", "dead_lettered")


@dataclass(frozen=True, slots=True)
class RefillOptions:
    """What can be chosen. ``segments`` is found when it is None; ``read_capacity`` is in units a second, for all of
    them together."""

    segments: int | None = None
    read_capacity: float | None = None
    resume: bool = False
    from_export: str | None = None


@dataclass(slots=True)
class RefillProgress:
    """Items read so far, what became of them, and how many there are about (None: unknown)."""

    items: int = 0
    total: int | None = None
    tally: ApplyResult = field(default_factory=ApplyResult)


# Called at the beginning of a refill and after each page.
OnProgress = Callable[[RefillProgress], None]


def ignore_progress(_: RefillProgress) -> None:
    """Report nothing."""


@dataclass(slots=True)
class Refilled:
    """What a refill did, earlier attempts that it resumed included."""

    plan: RefillPlan
    progress: RefillProgress
    swept: Swept = field(default_factory=Swept)


def refill(
    runtime: Runtime, options: RefillOptions, stop: threading.Event, on_progress: OnProgress = ignore_progress
) -> Refilled:
    """Load the whole index, then delete what has no item. An index that was declared stale is so no longer.

    Raises SearchError, SourceError or StateError with everything kept that ``resume`` goes on from, and Stopping
    likewise once ``stop`` is set, which the runtime's clock must heed.
    """
    checkpoints = runtime.checkpoints()
    load = Load(runtime, options, RefillState(runtime.state()), stop, on_progress)
    plan = load.resumed() if options.resume else None
    if plan and checkpoints.stale() and checkpoints.recovering_since_us() != plan.started_at_us:
        _log.warning("the index became stale after the unfinished refill began: starting from the beginning")
        plan = None
    if plan is None:
        plan = prepare(runtime, load.segments())
        if checkpoints.stale():
            # Before the first page: what the stream forgets from here on, a worker has read by then.
            checkpoints.begin_recovery(plan.started_at_us)
            _log.info("the index is stale: a worker that starts now reads the stream from its beginning")
        load.begin(plan)
    _log.info(
        f"writing to {', '.join(plan.indexes)} from {load.source} in {_segments(plan)}",
        extra={"indexes": list(plan.indexes), "source": load.source, "segments": plan.segments},
    )
    done = load.run(plan)
    if (
        checkpoints.stale()
        and not checkpoints.stream()
        and runtime.clock.now_us() - plan.started_at_us > STREAM_RETENTION_US
    ):
        _log.warning(
            "no worker has read the stream since this refill began, more than 24 hours ago, so the index stays stale: "
            "run the refill again while a worker runs"
        )
    elif checkpoints.end_recovery(plan.started_at_us):
        _log.info("the index is no longer stale")
    elif checkpoints.stale():
        _log.warning("the index became stale during this refill: run the refill again")
    load.end(done)
    return done


class Load:
    """The slices of a plan, each segment in a thread of its own, then the sweep."""

    def __init__(
        self,
        runtime: Runtime,
        options: RefillOptions,
        state: RefillState,
        stop: threading.Event,
        on_progress: OnProgress,
    ) -> None:
        self._runtime = runtime
        self._state = state
        self._stop = stop
        self._on_progress = on_progress
        self._segments = options.segments
        self._export = _opened(runtime, options.from_export)
        units = options.read_capacity
        self._capacity = ReadCapacity(units, runtime.clock) if units and isfinite(units) else None
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []

    @property
    def source(self) -> str:
        """Where the items come from, in words."""
        return f"export {self._export.name}" if self._export else f"a scan of table {self._runtime.sync.table}"

    def segments(self) -> int:
        """Parts of the table that are scanned at once. Raises SearchUnavailable."""
        return self._segments or choose_segments(self._runtime, self._items())

    def begin(self, plan: RefillPlan, extra: Mapping[str, Any] | None = None) -> None:
        """Keep the plan of a new refill, in place of any that was not finished."""
        if self._state.plan():
            _log.info("discarding the position of an unfinished refill (--resume would have continued it)")
        self._state.clear()
        self.keep(plan, extra)

    def keep(self, plan: RefillPlan, extra: Mapping[str, Any] | None = None) -> None:
        """Keep the plan, whatever is done of it."""
        self._state.save_plan({**plan.as_event(), "Source": self.source, **(extra or {})})

    def resumed(self) -> RefillPlan | None:
        """The plan of the unfinished refill, or None, having said why there is nothing to go on with."""
        kept = self._state.plan()
        if kept is None:
            _log.info("nothing to resume: starting from the beginning")
            return None
        if kept["Source"] != self.source:
            _log.info(f"the unfinished refill reads {kept['Source']}: starting from the beginning")
            return None
        plan = RefillPlan.from_event(kept)
        gone = set(plan.indexes) - set(self._runtime.alias.resolve())
        if gone or not plan.indexes:
            _log.info(f"{', '.join(gone) or 'its index'} is no longer written: starting from the beginning")
            return None
        return plan

    def run(self, plan: RefillPlan) -> Refilled:
        """Do what is not done yet. Raises as ``refill`` does."""
        known = self._state.segments(plan.started_at_us)
        progress = _progress(known.values(), self._items())
        self._on_progress(progress)
        threads = [
            threading.Thread(target=self._segment, args=(plan, first, known.get(first.segment), progress), daemon=True)
            for first in plan.slices()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise next((error for error in self._errors if not isinstance(error, Stopping)), self._errors[0])
        if self._export:
            from dynadex.refill.replay import catch_up

            plan = replace(plan, started_at_us=self._export.export_time_us)
            _log.info("replaying the stream since the export")
            progress.tally.add(catch_up(self._runtime, plan.started_at_us, lambda _: None))
        swept = sweep_all(self._runtime, plan, _log_swept)
        return Refilled(plan, progress, swept)

    def end(self, done: Refilled) -> None:
        """Nothing is left to resume; `dynadex status` can tell of it."""
        self._state.clear()
        LastRuns(self._runtime.state()).note(self._state.kind, summary(self._runtime.clock, done))

    def _segment(self, plan: RefillPlan, first: Slice, known: SegmentState | None, progress: RefillProgress) -> None:
        """What one thread does: slice after slice of one segment."""
        try:
            counts = dict(known.counts) if known else {}
            position = first if known is None else replace(Slice.from_event(known.event), done=known.done)

            def on_page(after: Slice, page: Page, tally: ApplyResult) -> None:
                counts["items"] = counts.get("items", 0) + len(page.items)
                for name in _COUNTED:
                    counts[name] = counts.get(name, 0) + getattr(tally, name)
                state = SegmentState(after.as_event(), after.done, counts)
                self._state.save_segment(first.segment, state, plan.started_at_us)
                with self._lock:
                    progress.items += len(page.items)
                    progress.tally.add(tally)
                    self._on_progress(progress)

            with closing(self._pages(first)) as pages:
                while not position.done:
                    stop_at = self._runtime.clock.monotonic() + self._runtime.settings.refill_slice_seconds
                    position = run_slice(self._runtime, position, stop_at, on_page, pages)
        except BaseException as error:  # noqa: BLE001 - raised by run, in the thread that waits
            self._errors.append(error)
            self._stop.set()

    def _pages(self, part: Slice) -> Pages:
        export = self._export
        pages = (
            export.pages(part.segment, part.total_segments)
            if export
            else self._runtime.scan(part.segment, part.total_segments)
        )
        return self._capacity.of(pages) if self._capacity else pages

    def _items(self) -> int | None:
        """About how many there are to read; None: unknown."""
        return self._export.item_count if self._export else self._runtime.description.item_count or None


def _log_swept(index: str, swept: Swept) -> None:
    _log.info(
        f"swept index {index}: {swept.listed:,} documents, {swept.deleted:,} orphans deleted",
        extra={"index": index, "documents": swept.listed, "orphans": swept.deleted},
    )


def _segments(plan: RefillPlan) -> str:
    return "one segment" if plan.segments == 1 else f"{plan.segments} parallel segments"


def summary(clock: Clock, done: Refilled) -> dict[str, Any]:
    """A refill in numbers, for `dynadex status`."""
    return {
        "started_at": iso(done.plan.started_at_us),
        "finished_at": iso(clock.now_us()),
        "indexes": list(done.plan.indexes),
        "items": done.progress.items,
        "written": done.progress.tally.applied,
        "not_indexed": done.progress.tally.not_indexed,
        "superseded": done.progress.tally.superseded,
        "dead_lettered": done.progress.tally.dead_lettered,
        "swept": done.swept.deleted,
    }


def _opened(runtime: Runtime, where: str | None) -> Export | None:
    if where is None:
        return None
    from dynadex.refill.replay import check_age, check_stream
    from dynadex.source.export import Export

    export = Export.open(where, lambda: clients.s3(runtime.settings))
    export.check_table(runtime.sync.table)
    check_age(export.export_time_us, runtime.clock.now_us())
    check_stream(runtime, export.export_time_us)
    return export


def _progress(known: Iterable[SegmentState], total: int | None) -> RefillProgress:
    progress = RefillProgress(total=total)
    for state in known:
        progress.items += state.counts.get("items", 0)
        counted = ApplyResult()
        for name in _COUNTED:
            setattr(counted, name, state.counts.get(name, 0))
        progress.tally.add(counted)
    return progress
