"""Runs the segments of a backfill in parallel, each in a thread, and saves the position of each after every page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace

from dynadex.clock import Stopping
from dynadex.index.results import ApplyResult
from dynadex.refill.item_source import ItemSource
from dynadex.refill.plan import RefillPlan
from dynadex.refill.slices import Slice, run_slice
from dynadex.runtime import Runtime
from dynadex.source.table_scan import Page
from dynadex.state.refill_state import RefillState, SegmentState

_COUNTED = ("applied", "not_indexed", "superseded", "dead_lettered")


@dataclass(slots=True)
class RefillProgress:
    """Number of items read so far, their approximate total (None: unknown), and the counts of their results."""

    items: int = 0
    total: int | None = None
    result: ApplyResult = field(default_factory=ApplyResult)

    def add(self, items: int, result: ApplyResult) -> None:
        """Add one page, or all pages of an earlier attempt."""
        self.items += items
        self.result.add(result)


# Called at the start of a backfill and after each page, from the thread of a segment, but never concurrently.
OnProgress = Callable[[RefillProgress], None]


def ignore_progress(_: RefillProgress) -> None:
    """Report nothing."""


class SegmentRunner:
    """Runs every segment of a plan from its saved position to its end."""

    def __init__(
        self, runtime: Runtime, source: ItemSource, state: RefillState, stop: threading.Event, on_progress: OnProgress
    ) -> None:
        self._runtime = runtime
        self._source = source
        self._state = state
        self._stop = stop
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []

    def run(self, plan: RefillPlan) -> RefillProgress:
        """Run what is not done yet; return the progress, earlier attempts included.

        Sets ``stop`` if a segment fails. Raises SearchError, SourceError, StateError or Stopping.
        """
        saved = self._state.segments(plan.started_at_us)
        progress = _progress_of(saved.values(), self._source.item_count)
        self._on_progress(progress)
        threads = [
            threading.Thread(target=self._run, args=(plan, first, saved.get(first.segment), progress), daemon=True)
            for first in plan.slices()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise next((error for error in self._errors if not isinstance(error, Stopping)), self._errors[0])
        return progress

    def _run(self, plan: RefillPlan, first: Slice, saved: SegmentState | None, progress: RefillProgress) -> None:
        """Run one segment slice by slice: the body of its thread."""
        try:
            counts = dict(saved.counts) if saved else {}
            position = first if saved is None else replace(Slice.from_event(saved.event), done=saved.done)

            def on_page(next_slice: Slice, page: Page, result: ApplyResult) -> None:
                _count(counts, len(page.items), result)
                state = SegmentState(next_slice.as_event(), next_slice.done, counts)
                self._state.save_segment(first.segment, state, plan.started_at_us)
                with self._lock:
                    progress.add(len(page.items), result)
                    self._on_progress(progress)

            with closing(self._source.pages(first)) as pages:
                while not position.done:
                    stop_at = self._runtime.clock.monotonic() + self._runtime.settings.refill_slice_seconds
                    position = run_slice(self._runtime, position, stop_at, on_page, pages)
        except BaseException as error:  # noqa: BLE001 - raised by run, in the thread that waits
            self._errors.append(error)
            self._stop.set()


def _count(counts: dict[str, int], items: int, result: ApplyResult) -> None:
    """Add one page to the counts of its segment."""
    counts["items"] = counts.get("items", 0) + items
    for name in _COUNTED:
        counts[name] = counts.get(name, 0) + getattr(result, name)


def _progress_of(states: Iterable[SegmentState], total: int | None) -> RefillProgress:
    """Return the progress that earlier attempts saved."""
    progress = RefillProgress(total=total)
    for state in states:
        result = ApplyResult()
        for name in _COUNTED:
            setattr(result, name, state.counts.get(name, 0))
        progress.add(state.counts.get("items", 0), result)
    return progress
