"""A new index as declared now, filled while writes and searches go on, compared, and only then searched."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field
from typing import Any

from dynadex.errors import DynadexError
from dynadex.index.lifecycle import find_building
from dynadex.refill.plan import RefillPlan, prepare
from dynadex.refill.promote import IndexComparison, compare_and_swap
from dynadex.refill.refill import Load, OnProgress, Refilled, RefillOptions, ignore_progress
from dynadex.runtime import Runtime
from dynadex.state.refill_state import RefillState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """What can be chosen. ``verify``: compare every item, not a sample. ``force``: swap even to a worse index."""

    refill: RefillOptions = field(default_factory=RefillOptions)
    verify: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: the index that searches use now, and how it compares with the one before (None: it was
    swapped to before this)."""

    name: str
    refilled: Refilled
    comparison: IndexComparison | None


def rebuild(
    runtime: Runtime, options: RebuildOptions, stop: threading.Event, on_progress: OnProgress = ignore_progress
) -> Rebuilt:
    """Build, compare, swap. The old index goes on being written, so that a rollback is never stale.

    Raises SearchError when the new index is worse than the old: then searches still use the old one, and the new
    one is kept to be looked at. Otherwise as ``refill`` does, with everything kept that ``resume`` goes on from.
    """
    reason = runtime.checkpoints().stale()
    if reason:
        raise DynadexError(
            "rebuild index", runtime.sync.index, f"it is stale: {reason}", "Run `dynadex refill` first: it mends it."
        )
    state = RefillState(runtime.state(), "rebuild")
    load = Load(runtime, options.refill, state, stop, on_progress)
    plan = _begun(runtime, options.refill, load, state)
    if not state.segments(plan.started_at_us):
        name = plan.indexes[0]
        _log.info(
            f"waiting {plan.fence_seconds} s until every writer writes to index {name}",
            extra={"index": name, "seconds": plan.fence_seconds},
        )
        runtime.clock.sleep(plan.fence_seconds)
    refilled = load.run(plan)
    comparison = compare_and_swap(runtime, plan, everything=options.verify, force=options.force)
    load.end(refilled)
    return Rebuilt(plan.indexes[0], refilled, comparison)


def _begun(runtime: Runtime, options: RefillOptions, load: Load, state: RefillState) -> RefillPlan:
    """The plan of the unfinished rebuild, if it is to be resumed, or of a new one."""
    kept: dict[str, Any] = (state.plan() if options.resume else None) or {}
    plan = load.resumed() if options.resume else None
    if plan:
        _log.info(f"resuming with index {plan.indexes[0]}", extra={"index": plan.indexes[0]})
        return plan
    # The name is kept before the index is made: whatever ends this in between, the same one is found again.
    owner = kept.get("Owner") or os.urandom(8).hex()
    find_building(runtime.index, runtime.sync.index, owner)
    segments = load.segments()
    empty = RefillPlan(runtime.clock.now_us(), (), segments, rebuild=True)
    load.begin(empty, {"Owner": owner})
    plan = prepare(runtime, segments, rebuild_by=owner)
    load.keep(plan, {"Owner": owner})
    _log.info(
        f"created index {plan.indexes[0]}; filling it from {load.source}",
        extra={"index": plan.indexes[0], "source": load.source},
    )
    return plan
