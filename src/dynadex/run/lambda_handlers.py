"""The Lambda handlers behind ``sync.stream`` and ``sync.refill``: thin, their clients made once per process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dynadex.progress.acknowledged import lowest
from dynadex.run import refill as refills
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


def stream(sync: Sync, event: Any, context: Any) -> dict[str, Any]:
    """Apply the records of an event; answer with the sequence number from which they must come again, if any.

    Lambda then retries from the lowest failed record on: everything before it is done, nothing after it is lost.
    """
    runtime = _runtime(sync, context)
    deadline = runtime.clock.monotonic() + max(1.0, remaining_seconds(context) - _RESERVE_SECONDS)
    tally = apply_records(runtime.indexer, records_of(event), deadline)
    failed = lowest(tally.failed)
    return {"batchItemFailures": [] if failed is None else [{"itemIdentifier": failed}]}


def refill(sync: Sync, event: Any, context: Any) -> dict[str, Any]:
    """One slice of a refill, see `dynadex.run.refill.run_slice`."""
    runtime = _runtime(sync, context)
    refill_slice = refills.Slice.from_event(event)
    if refill_slice.start_key is None and refill_slice.segment == 0:
        runtime.ensure_index()
    budget = refills.budget_seconds(remaining_seconds(context) if context is not None else None)
    return refills.run_slice(runtime, refill_slice, runtime.clock.monotonic() + budget).as_event()


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
        _runtimes[sync] = connect(sync, replace(settings, request_timeout_seconds=limited))
    return _runtimes[sync]
