"""What comes before and after the slices of a refill or a rebuild, for Step Functions and for the command alike."""

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
# What the search cluster does not tell, or an unknown number of items, is taken for this.
DEFAULT_SEGMENTS = 4
MAX_SUITED_SEGMENTS = 32
# While one bulk request of a processor's is at work, the next one is on its way.
_PER_PROCESSOR = 2


@dataclass(frozen=True, slots=True)
class RefillPlan:
    """What a refill does. ``started_at_us``: nothing that it writes was read before; microseconds since the epoch.

    ``fence_seconds`` must pass before the first item is read.
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
        """What the Prepare state hands on: the plan, and the first event of each loop."""
        return {
            "StartedAt": self.started_at_us,
            "Indexes": list(self.indexes),
            "Rebuild": self.rebuild,
            "FenceSeconds": self.fence_seconds,
            "Slices": [one.first_event() for one in self.slices()],
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> RefillPlan:
        """The plan that ``as_event`` told."""
        return cls(
            int(event["StartedAt"]), tuple(event["Indexes"]), len(event["Slices"]), bool(event["Rebuild"]),
            int(event["FenceSeconds"]),
        )  # fmt: skip


def prepare(runtime: Runtime, segments: int = 1, *, rebuild_by: str | None = None) -> RefillPlan:
    """See that there is an index to fill, and say what to do.

    ``rebuild_by`` names who rebuilds: then it is a new index, the same one however often the same name asks.
    Raises SearchError when the existing index contradicts the declaration, or another rebuild is not finished.
    """
    if not 1 <= segments <= _MAX_SEGMENTS:
        raise ValueError(f"{segments} segments are not within 1 and {_MAX_SEGMENTS}")
    sync = runtime.sync
    if rebuild_by is None:
        runtime.ensure_index(awaits_refill=True)
        # An index that joins later is none of this refill's business: it was not written from the first item on.
        return RefillPlan(runtime.clock.now_us(), tuple(runtime.alias.resolve()), segments)
    name = begin_building(runtime.index, sync.index, sync.mappings, sync.settings, rebuild_by, runtime.clock)
    fence = fence_seconds(runtime.timing, runtime.settings.max_batch_seconds)
    return RefillPlan(
        runtime.clock.now_us() + fence * MICROSECONDS, (name,), segments, rebuild=True, fence_seconds=fence
    )


def fence_seconds(timing: Timing, max_invocation_seconds: float) -> int:
    """How long after an index joined the sync alias its scan may begin, so that nothing falls between.

    A writer may know the alias as it was RESOLVE_SECONDS ago. By then every change is written to the new index too;
    every earlier one is in what is scanned. One more thing is waited for: a late writer that still holds an earlier
    change of an item deleted since. What it writes to the new index, where no tombstone stands in its way, must be
    there before the scan begins, or the sweep would take it for new.
    """
    return math.ceil(RESOLVE_SECONDS + max_invocation_seconds + timing.margin_us / MICROSECONDS)


def sweep_all(runtime: Runtime, plan: RefillPlan, on_swept: Callable[[str, Swept], None] | None = None) -> Swept:
    """Delete from each index of the plan the documents that no longer have an item: they are filled then.

    Raises SearchError.
    """
    total = Swept()
    # Whoever said when it started, and whoever read the first item, may each have a clock of their own.
    version = read_version(plan.started_at_us - 2 * runtime.timing.clock_skew_us, runtime.timing)
    for index in plan.indexes:
        swept = sweep(runtime.index, runtime.writer, index, version, runtime.clock)
        total.add(swept)
        if on_swept:
            on_swept(index, swept)
    mark_filled(runtime.index, runtime.sync.index, plan.indexes)
    return total


def suited_segments(items: int | None, page_items: int, processors: int | None) -> int:
    """Two parts for each processor that writes documents, no more than the table has pages, and 32 at most.

    ``items`` and ``processors`` are None where they are not known. Pure.
    """
    suited = min(MAX_SUITED_SEGMENTS, processors * _PER_PROCESSOR) if processors else DEFAULT_SEGMENTS
    return max(1, min(suited, math.ceil(items / page_items))) if items else suited


def choose_segments(runtime: Runtime, items: int | None) -> int:
    """The parts of a refill of about so many items by this runtime. Raises SearchUnavailable."""
    return suited_segments(items, runtime.settings.refill_page_size, runtime.index.processors(runtime.sync.index))
