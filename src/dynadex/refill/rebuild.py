"""`dynadex rebuild`: create an index as declared now, fill it while writes and searches continue, and promote it."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field

from dynadex.errors import DynadexError
from dynadex.index.lifecycle import find_building
from dynadex.refill.plan import RefillPlan, prepare
from dynadex.refill.promote import IndexComparison, promote
from dynadex.refill.refill import Refilled, RefillOptions, RefillRun
from dynadex.refill.segments import OnProgress, ignore_progress
from dynadex.runtime import Runtime
from dynadex.state.refill_state import RefillState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """Options of a rebuild.

    ``refill`` are the options of filling the index. ``verify``: compare every item instead of a sample. ``force``:
    promote the new index even if it is worse.
    """

    refill: RefillOptions = field(default_factory=RefillOptions)
    verify: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Result of a rebuild: the index that searches use now, and its comparison with the previous one (None if an
    earlier attempt had promoted it)."""

    name: str
    refilled: Refilled
    comparison: IndexComparison | None


def rebuild(
    runtime: Runtime, options: RebuildOptions, stop: threading.Event, on_progress: OnProgress = ignore_progress
) -> Rebuilt:
    """Fill a new index, compare it, and promote it. Writers keep writing to the old index, so a rollback loses nothing.

    Raises SearchError if the new index is worse than the old one: searches then still use the old index, and the new
    one is kept for inspection. Otherwise raises as ``refill`` does; ``resume`` continues from the saved position.
    """
    reason = runtime.checkpoints().stale()
    if reason:
        raise DynadexError(
            "rebuild index", runtime.sync.index, f"it is stale: {reason}",
            "Run `dynadex refill` first, which brings the index up to date.",
        )  # fmt: skip
    state = RefillState(runtime.state(), "rebuild")
    run = RefillRun(runtime, options.refill, state, stop, on_progress)
    plan = _resumed_or_new_plan(runtime, options.refill, run)
    if not state.segments(plan.started_at_us):
        name = plan.indexes[0]
        _log.info(
            f"waiting {plan.fence_seconds} s until every writer writes to index {name}",
            extra={"index": name, "seconds": plan.fence_seconds},
        )
        runtime.clock.sleep(plan.fence_seconds)
    refilled = run.load(plan)
    comparison = promote(runtime, plan, every_item=options.verify, force=options.force)
    run.finish(refilled)
    return Rebuilt(plan.indexes[0], refilled, comparison)


def _resumed_or_new_plan(runtime: Runtime, options: RefillOptions, run: RefillRun) -> RefillPlan:
    """Return the plan of the unfinished rebuild if it is to be resumed, otherwise of a new one."""
    saved_owner = run.saved_plan.extra("Owner") if options.resume else None
    plan = run.saved_plan.resume() if options.resume else None
    if plan:
        _log.info(f"resuming with index {plan.indexes[0]}", extra={"index": plan.indexes[0]})
        return plan
    # The owner is saved before the index is created, so that a resumed rebuild finds the index after any interruption.
    owner = saved_owner or os.urandom(8).hex()
    find_building(runtime.index, runtime.sync.index, owner)
    segments = run.choose_segments()
    run.saved_plan.begin(RefillPlan(runtime.clock.now_us(), (), segments, rebuild=True), {"Owner": owner})
    plan = prepare(runtime, segments, rebuild_by=owner)
    run.saved_plan.save(plan, {"Owner": owner})
    _log.info(
        f"created index {plan.indexes[0]}; filling it from {run.source}",
        extra={"index": plan.indexes[0], "source": str(run.source)},
    )
    return plan
