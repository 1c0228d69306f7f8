"""Load an index from a table scan, in time-boxed slices that a Step Functions loop or a local loop drives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dynadex import clients
from dynadex.change import Item
from dynadex.clock import Backoff
from dynadex.declaration import MIN_GC_DELETES_SECONDS
from dynadex.document.versioning import read_version
from dynadex.errors import SearchUnavailable, SourceUnavailable
from dynadex.index.sweep import sweep
from dynadex.index.tally import Tally
from dynadex.run.wiring import Runtime, connect
from dynadex.run.worker import StoppableClock, Stopping
from dynadex.settings import Settings
from dynadex.source.attribute_values import binary
from dynadex.source.table_scan import Page, TableScan
from dynadex.sync import Sync

# A slice scans for four minutes, or until the invocation has half a minute left, whichever is first.
_SLICE_SECONDS = 240.0
_RESERVE_SECONDS = 30.0
# A page written later than this after it was read could meet forgotten tombstones: it is thrown away, scanned again.
_FRESH_SECONDS = MIN_GC_DELETES_SECONDS / 2


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a slice starts, and which part of the table its loop scans. ``done``: there is nothing left to scan."""

    start_key: Item | None = None
    segment: int = 0
    total_segments: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    done: bool = False

    @classmethod
    def from_event(cls, event: Any) -> Slice:
        """From the refill Lambda's event: ``{}`` or ``{"LastEvaluatedKey": ..., "Segment": ..., ...}``.

        Raises ValueError for anything else.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"a refill takes an object such as {{}}, not {type(event).__name__}")
        rest = {k: v for k, v in event.items() if k not in ("LastEvaluatedKey", "Segment", "TotalSegments")}
        segment, total = event.get("Segment", 0), event.get("TotalSegments", 1)
        if not (type(segment) is type(total) is int and 0 <= segment < total):
            raise ValueError(f"Segment {segment!r} is not within TotalSegments {total!r}")
        start_key = event.get("LastEvaluatedKey")
        if start_key is not None and (not isinstance(start_key, Mapping) or not start_key):
            raise ValueError(f"LastEvaluatedKey {start_key!r} is no key in typed JSON")
        return cls(start_key, segment, total, rest)

    def as_event(self) -> dict[str, Any]:
        """What the refill Lambda returns: ``{}`` once all is scanned, else the event of the next slice."""
        if self.done or self.start_key is None:
            return {}
        event: dict[str, Any] = {**self.extra, "LastEvaluatedKey": _json_key(self.start_key)}
        if self.total_segments > 1:
            event |= {"Segment": self.segment, "TotalSegments": self.total_segments}
        return event


def budget_seconds(remaining: float | None) -> float:
    """How long a slice may scan, given the seconds left of its invocation (None: no limit but the contract's)."""
    return _SLICE_SECONDS if remaining is None else max(1.0, min(_SLICE_SECONDS, remaining - _RESERVE_SECONDS))


def run_slice(
    runtime: Runtime,
    start: Slice,
    stop_at: float,
    on_page: Callable[[Page, Tally], None] | None = None,
    indexes: Sequence[str] | None = None,
) -> Slice:
    """Scan and write until the scan is complete or ``stop_at`` (of the monotonic clock) has come.

    At least one page is written. The slice returned starts after the last page whose every item was acknowledged.
    ``indexes`` are written to, by default all behind the sync alias.
    Raises SearchUnavailable or SourceUnavailable when not even one page could be; the slice can simply be repeated.
    """
    scan = TableScan(
        clients.dynamodb(runtime.settings), runtime.sync.table, runtime.clock,
        segment=start.segment, total_segments=start.total_segments,
    )  # fmt: skip
    position, backoff, failures = start, Backoff(), 0
    while True:
        # A place to stop, where the clock can be stopped.
        runtime.clock.sleep(0)
        deadline = min(max(stop_at, runtime.clock.monotonic() + 1.0), runtime.clock.monotonic() + _FRESH_SECONDS)
        try:
            position = _one_page(runtime, scan, position, deadline, on_page, indexes)
            failures = 0
        except (SearchUnavailable, SourceUnavailable):
            failures += 1
            pause = backoff.pause(failures)
            if runtime.clock.monotonic() + pause >= stop_at:
                if position is start:
                    raise
                return position
            runtime.clock.sleep(pause)
        if position.done or (position is not start and runtime.clock.monotonic() >= stop_at):
            return position


def refill_all(sync: Sync, settings: Settings, stop: threading.Event, say: Callable[[str], None]) -> Tally:
    """Load the whole index, slice after slice, then sweep it; ends early, saying so, once ``stop`` is set.

    Afterwards an index that was declared stale is so no longer. Raises SourceError and SearchError.
    """
    runtime = connect(sync, settings, StoppableClock(stop))
    name, created = runtime.ensure_index()
    say(f"{'created index' if created else 'index'} {name}; scanning table {sync.table}")
    total = Tally()
    try:
        _scan_and_sweep(runtime, total, say)
    except Stopping:
        say("refill stopped before its end; nothing is harmed: run it again")
        return total
    checkpoints = runtime.checkpoints()
    if checkpoints.stale():
        checkpoints.start_over()
        say("the index is stale no longer; the worker will read the stream from its beginning")
    say("refill complete")
    return total


def _scan_and_sweep(runtime: Runtime, total: Tally, say: Callable[[str], None]) -> None:
    items = 0

    def on_page(page: Page, tally: Tally) -> None:
        nonlocal items
        items += len(page.items)
        total.add(tally)
        counts = f"{total.applied:,} written, {total.skipped:,} not indexed, {total.parked:,} parked"
        say(f"{items:,} items scanned: {counts}")

    # An index that joins later is none of this refill's business: it was not written from the first item on.
    indexes = runtime.alias.current()
    started_at = read_version(runtime.clock.now_us(), runtime.timing)
    position = Slice()
    while not position.done:
        position = run_slice(runtime, position, runtime.clock.monotonic() + _SLICE_SECONDS, on_page, indexes)
    for index in indexes:
        swept = sweep(runtime.index, runtime.writer, index, started_at, runtime.clock)
        say(f"{swept.looked_at:,} documents looked at, {swept.deleted:,} deleted that no longer have an item")


def _one_page(
    runtime: Runtime,
    scan: TableScan,
    position: Slice,
    deadline: float,
    on_page: Callable[[Page, Tally], None] | None,
    indexes: Sequence[str] | None,
) -> Slice:
    page = scan.page(position.start_key)
    tally = runtime.indexer.load(page.items, page.requested_at_us, deadline, indexes or runtime.alias.current())
    if tally.failed:
        reason = next(iter(tally.failed.values()))
        raise SearchUnavailable("write a page of", runtime.sync.table, f"{len(tally.failed)} items failed: {reason}")
    if on_page:
        on_page(page, tally)
    return replace(position, start_key=page.last_evaluated_key, done=page.last_evaluated_key is None)


def _json_key(key: Item) -> dict[str, Any]:
    return {
        name: {kind: binary(content) if kind == "B" else content for kind, content in value.items()}
        for name, value in key.items()
    }
