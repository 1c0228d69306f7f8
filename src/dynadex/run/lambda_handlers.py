"""The Lambda handlers that Sync names: thin, their clients made once per process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dynadex.index.tally import Bulks, Tally
from dynadex.progress.acknowledged import lowest
from dynadex.run import plan as plans
from dynadex.run import slices
from dynadex.run.records import apply_records
from dynadex.run.wiring import Runtime, connect
from dynadex.settings import Settings
from dynadex.source.stream_event import records_of
from dynadex.sync import Sync

# Left of an invocation for parking, answering, and for a request that runs into its time-out.
_RESERVE_SECONDS = 3.0
_DEFAULT_SECONDS = 60.0
# So many requests that run into their time-outs still fit into one invocation.
_REQUESTS_PER_INVOCATION = 3
_runtimes: dict[Sync, Runtime] = {}
_bulks: dict[Sync, Bulks] = {}

Observe = Callable[[Tally, Bulks], None]


def stream(sync: Sync, event: Any, context: Any, observe: Observe | None = None) -> dict[str, Any]:
    """Apply the records of an event; answer with the sequence number from which they must come again, if any.

    Lambda then retries from the lowest failed record on: everything before it is done, nothing after it is lost.
    ``observe`` is given what became of the records, and the bulk requests of this invocation.
    """
    bulks = _bulks[sync] = Bulks()
    runtime = _runtime(sync, context)
    deadline = runtime.clock.monotonic() + max(1.0, remaining_seconds(context) - _RESERVE_SECONDS)
    tally = apply_records(runtime.indexer, records_of(event), deadline)
    if observe:
        observe(tally, bulks)
    failed = lowest(tally.failed)
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}


def prepare(sync: Sync, event: Any, context: Any) -> dict[str, Any]:
    """What comes before the slices, see `dynadex.run.plan.prepare`.

    The event is what the execution was started with, or that as ``Input`` beside the ``Execution``'s name: ``{}``,
    ``{"Segments": 4}`` to scan so many parts at once, ``{"Rebuild": true}`` to build a new index.
    """
    runtime = _runtime(sync, context)
    wanted = event.get("Input", event)
    unknown = set(wanted) - {"Segments", "Rebuild"}
    if unknown:
        raise ValueError(f"a refill is started with Segments and Rebuild, not with {', '.join(sorted(unknown))}")
    owner = str(event.get("Execution", "")) if wanted.get("Rebuild") else None
    return plans.prepare(runtime, wanted.get("Segments", 1), rebuild_by=owner).as_event()


def refill(sync: Sync, event: Any, context: Any) -> dict[str, Any]:
    """One slice of a refill, see `dynadex.run.slices.run_slice`."""
    runtime = _runtime(sync, context)
    part = slices.Slice.from_event(event)
    if part.start_key is None and part.segment == 0:
        # Nobody finishes a loop of this function alone: there is no one to say that the index is filled.
        runtime.ensure_index(awaits_refill=False)
    remaining = remaining_seconds(context) if context is not None else None
    budget = slices.budget_seconds(runtime.settings.slice_seconds, remaining)
    return slices.run_slice(runtime, part, runtime.clock.monotonic() + budget).as_event()


def finish(sync: Sync, event: Any, context: Any) -> dict[str, Any]:
    """What comes after the slices, given what ``prepare`` answered: the sweep, and a new index compared and used."""
    runtime, plan = _runtime(sync, context), plans.Plan.from_event(event)
    plans.sweep_all(runtime, plan)
    if plan.rebuild:
        from dynadex.run.comparison import compare_and_swap

        # Functions keep no state table; how far the stream is applied, nobody knows here.
        compare_and_swap(runtime, plan, passed=lambda: None)
    return {}


def remaining_seconds(context: Any) -> float:
    """Seconds left of this invocation; a minute where there is no context to ask."""
    if context is None:
        return _DEFAULT_SECONDS
    return float(context.get_remaining_time_in_millis()) / 1000


def _runtime(sync: Sync, context: Any) -> Runtime:
    """The sync's clients and writers, made at the first invocation of this process."""
    if sync not in _runtimes:
        settings = Settings.from_environment()
        # The first invocation has about as long as any: no request may outlive one, or its write would come late.
        longest = max(1.0, remaining_seconds(context) / _REQUESTS_PER_INVOCATION)
        limited = min(settings.request_timeout_seconds, longest)
        settings = replace(settings, request_timeout_seconds=limited)
        _runtimes[sync] = connect(sync, settings, on_bulk=lambda *told: _bulks.setdefault(sync, Bulks()).add(*told))
    return _runtimes[sync]
