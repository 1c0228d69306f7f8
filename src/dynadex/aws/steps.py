"""Work of the Lambda functions in one invocation, given the runtime of their Sync."""

from __future__ import annotations

from typing import Any

from dynadex.index.apply_records import apply_records
from dynadex.index.results import ApplyResult
from dynadex.refill import plan as plans
from dynadex.refill import slices
from dynadex.runtime import Runtime
from dynadex.source.stream_event import records_of
from dynadex.state.ack_tracker import lowest

# Seconds of an invocation reserved for dead letters, for the response, and for a request that times out.
_RESERVE_SECONDS = 3.0
_DEFAULT_SECONDS = 60.0


def stream(runtime: Runtime, event: Any, context: Any) -> tuple[dict[str, Any], ApplyResult]:
    """Apply the records of an event; return the partial batch response and the counts.

    Lambda retries from the lowest failed record on: every earlier record is processed, and no later one is lost.
    """
    deadline = runtime.clock.monotonic() + max(1.0, remaining_seconds(context) - _RESERVE_SECONDS)
    result = apply_records(runtime.indexer, records_of(event), deadline)
    failed = lowest(result.failed)
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}, result


def prepare(runtime: Runtime, event: Any) -> dict[str, Any]:
    """Plan a backfill; see `refill.plan.prepare`.

    The event is the input of the execution, or has it in ``Input`` next to the name of the ``Execution``: ``{}``,
    ``{"Segments": 4}`` to scan in 4 parallel segments, ``{"Rebuild": true}`` to fill a new index. Raises ValueError for
    other fields.
    """
    options = event.get("Input", event)
    unknown = set(options) - {"Segments", "Rebuild"}
    if unknown:
        raise ValueError(f"a backfill accepts Segments and Rebuild, not {', '.join(sorted(unknown))}")
    owner = str(event.get("Execution", "")) if options.get("Rebuild") else None
    return plans.prepare(runtime, options.get("Segments", 1), rebuild_by=owner).as_event()


def refill(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:
    """Run one slice of a backfill; see `refill.slices.run_slice`."""
    part = slices.Slice.from_event(event)
    if part.start_key is None and part.segment == 0:
        # A loop of this function alone has no Finish state, which would mark the index as filled.
        runtime.ensure_index(awaits_refill=False)
    remaining = remaining_seconds(context) if context is not None else None
    budget = slices.budget_seconds(runtime.settings.refill_slice_seconds, remaining)
    return slices.run_slice(runtime, part, runtime.clock.monotonic() + budget).as_event()


def finish(runtime: Runtime, event: Any) -> dict[str, Any]:
    """Finish a backfill, given the plan that ``prepare`` returned: sweep, and promote a new index."""
    plan = plans.RefillPlan.from_event(event)
    plans.sweep_all(runtime, plan)
    if plan.rebuild:
        from dynadex.refill.promote import promote

        # Functions have no state table, so the position of the stream is unknown here.
        promote(runtime, plan, applied_until=lambda: None)
    return {}


def remaining_seconds(context: Any) -> float:
    """Return the remaining seconds of this invocation; 60 without a context."""
    if context is None:
        return _DEFAULT_SECONDS
    return float(context.get_remaining_time_in_millis()) / 1000
