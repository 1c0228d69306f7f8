"""First and last step of a backfill or a rebuild, for Step Functions and for the command: prepare and sweep."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dynadex.document.versioning import MICROSECONDS, Timing, read_version
from dynadex.index.aliases import RESOLVE_SECONDS
from dynadex.index.lifecycle import begin_building, mark_filled
from dynadex.index.sweep import Swept, sweep
from dynadex.refill.slices import Slice
from dynadex.runtime import Runtime

_MAX_SEGMENTS = 1000
# Used if the search cluster does not report its number of processors.
DEFAULT_SEGMENTS = 4
MAX_SUITABLE_SEGMENTS = 32
# While a processor executes a bulk request, the next one is on its way.
_PER_PROCESSOR = 2


@dataclass(frozen=True, slots=True)
class RefillPlan:
    """Which indexes a backfill fills, and how.

    ``started_at_us`` is the time, in microseconds since the epoch, after which every item is read. ``segments`` are
    scanned in parallel. ``rebuild``: the index is new, and is promoted at the end. ``fence_seconds`` must pass before
    the first item is read.
    """

    started_at_us: int
    indexes: tuple[str, ...]
    segments: int = 1
    rebuild: bool = False
    fence_seconds: int = 0

    def slices(self) -> list[Slice]:
        """The first slice of each segment."""
        return [Slice(None, segment, self.segments, indexes=self.indexes) for segment in range(self.segments)]

    def as_event(self) -> dict[str, Any]:
        """Return the output of the Prepare state: the plan, and the first event of each segment's loop."""
        return {
            "StartedAt": self.started_at_us,
            "Indexes": list(self.indexes),
            "Rebuild": self.rebuild,
            "FenceSeconds": self.fence_seconds,
            "Slices": [part.first_event() for part in self.slices()],
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> RefillPlan:
        """Return the plan that ``as_event`` serialized."""
        return cls(
            int(event["StartedAt"]), tuple(event["Indexes"]), len(event["Slices"]), bool(event["Rebuild"]),
            int(event["FenceSeconds"]),
        )  # fmt: skip


def prepare(runtime: Runtime, segments: int = 1, *, rebuild_by: str | None = None) -> RefillPlan:
    """Create the index to fill, if it does not exist, and return the plan.

    ``rebuild_by`` identifies a rebuild, which fills a new index: every call with the same identifier returns the same
    index. Raises SearchError if the existing index contradicts the declaration, or another rebuild is not finished;
    ValueError if ``segments`` is out of range.
    """
    if not 1 <= segments <= _MAX_SEGMENTS:
        raise ValueError(f"{segments} segments are not within 1 and {_MAX_SEGMENTS}")
    sync = runtime.sync
    if rebuild_by is None:
        runtime.ensure_index(awaits_refill=True)
        # An index that is created later is not part of this backfill, which would not write every item to it.
        return RefillPlan(runtime.clock.now_us(), tuple(runtime.alias.resolve()), segments)
    name = begin_building(runtime.index, sync.index, sync.mappings, sync.settings, rebuild_by, runtime.clock)
    fence = fence_seconds(runtime.timing, runtime.settings.max_batch_seconds)
    return RefillPlan(
        runtime.clock.now_us() + fence * MICROSECONDS, (name,), segments, rebuild=True, fence_seconds=fence
    )


def fence_seconds(timing: Timing, max_invocation_seconds: float) -> int:
    """Return the time in seconds between the creation of an index and the beginning of its scan. Pure.

    A writer may use a list of indexes that is up to RESOLVE_SECONDS old. After that time, every change is written to
    the new index too, and the scan contains every earlier change. The rest of the time is for a late writer that
    still holds an earlier change of an item that has since been deleted: the new index has no tombstone that rejects
    this change, so it must be written before the scan begins. Otherwise the sweep would treat it as new.
    """
    return math.ceil(RESOLVE_SECONDS + max_invocation_seconds + timing.margin_us / MICROSECONDS)


def sweep_all(runtime: Runtime, plan: RefillPlan, on_swept: Callable[[str, Swept], None] | None = None) -> Swept:
    """Delete the orphans of each index of the plan, and mark the indexes as filled. Raises SearchError.

    ``on_swept`` is called with the name and the result of each index.
    """
    total = Swept()
    # The hosts that made the plan and that read the first item may each have a skewed clock.
    version = read_version(plan.started_at_us - 2 * runtime.timing.clock_skew_us, runtime.timing)
    for index in plan.indexes:
        swept = sweep(runtime.index, runtime.writer, index, version, runtime.clock)
        total.add(swept)
        if on_swept:
            on_swept(index, swept)
    mark_filled(runtime.index, runtime.sync.index, plan.indexes)
    return total


def suitable_segments(items: int | None, page_items: int, processors: int | None) -> int:
    """Return two segments for each processor that writes documents, at most one for each page, and at most 32. Pure.

    ``items`` and ``processors`` are None if they are unknown.
    """
    suitable = min(MAX_SUITABLE_SEGMENTS, processors * _PER_PROCESSOR) if processors else DEFAULT_SEGMENTS
    return max(1, min(suitable, math.ceil(items / page_items))) if items else suitable


def choose_segments(runtime: Runtime, items: int | None) -> int:
    """Return a suitable number of segments for a table of about ``items`` items. Raises SearchUnavailable."""
    return suitable_segments(items, runtime.settings.refill_page_size, runtime.index.processors(runtime.sync.index))
