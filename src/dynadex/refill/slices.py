"""Loads an index from a table in time-boxed slices, driven by a Step Functions loop or a local loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dynadex.change import Item
from dynadex.declaration import MIN_GC_DELETES_SECONDS
from dynadex.document.typed_json import json_key
from dynadex.errors import SearchUnavailable, SourceUnavailable
from dynadex.gc_tuning import infrequent_gc
from dynadex.index.prepare import PreparedItems
from dynadex.index.results import ApplyResult
from dynadex.retry import Backoff
from dynadex.runtime import Runtime
from dynadex.source.prefetch import Prefetch
from dynadex.source.table_scan import Page, Pages

# Seconds of an invocation reserved for its last page and the response, and the part of them for writing that page.
_RESERVE_SECONDS, _FLUSH_SECONDS = 30.0, 20.0
# A page that is older than this when it is written could restore documents whose tombstones expired. It is read again.
_FRESH_SECONDS = MIN_GC_DELETES_SECONDS / 2
_EVENT_FIELDS = frozenset(("LastEvaluatedKey", "Segment", "TotalSegments", "Indexes"))


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a slice starts, which segment of the table its loop scans, and which indexes it fills (empty: all).

    ``start_key`` is the key of the last item of the previous slice, None for the first slice. ``done``: the segment is
    scanned completely. ``extra`` are further fields of the event, which are passed on unchanged.
    """

    start_key: Item | None = None
    segment: int = 0
    total_segments: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    done: bool = False
    indexes: tuple[str, ...] = ()

    @classmethod
    def from_event(cls, event: Any) -> Slice:
        """Parse the event of the backfill function: ``{}`` or ``{"LastEvaluatedKey": ..., "Segment": ..., ...}``.

        Raises ValueError for any other event.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"a backfill expects an object such as {{}}, not {type(event).__name__}")
        segment, total = event.get("Segment", 0), event.get("TotalSegments", 1)
        if not (type(segment) is type(total) is int and 0 <= segment < total):
            raise ValueError(f"Segment {segment!r} is not within TotalSegments {total!r}")
        start_key = event.get("LastEvaluatedKey")
        if start_key is not None and (not isinstance(start_key, Mapping) or not start_key):
            raise ValueError(f"LastEvaluatedKey {start_key!r} is not a key in typed JSON")
        indexes = event.get("Indexes", ())
        if not isinstance(indexes, list | tuple) or not all(isinstance(name, str) for name in indexes):
            raise ValueError(f"Indexes {indexes!r} is not a list of names")
        extra = {name: value for name, value in event.items() if name not in _EVENT_FIELDS}
        return cls(start_key, segment, total, extra, indexes=tuple(indexes))

    def as_event(self) -> dict[str, Any]:
        """Return the response of the backfill function: the event of the next slice, ``{}`` at the end of the scan."""
        if self.done or self.start_key is None:
            return {}
        return {**self.first_event(), "LastEvaluatedKey": json_key(self.start_key)}

    def first_event(self) -> dict[str, Any]:
        """Return the first event of the loop over this segment."""
        event = dict(self.extra)
        if self.total_segments > 1:
            event |= {"Segment": self.segment, "TotalSegments": self.total_segments}
        if self.indexes:
            event["Indexes"] = list(self.indexes)
        return event


def budget_seconds(slice_seconds: float, remaining: float | None) -> float:
    """Return how long a slice may scan, given the remaining seconds of its invocation (None: unlimited)."""
    return slice_seconds if remaining is None else min(slice_seconds, max(1.0, remaining - _RESERVE_SECONDS))


OnPage = Callable[[Slice, Page, ApplyResult], None]


def run_slice(
    runtime: Runtime, start: Slice, stop_at: float, on_page: OnPage | None = None, pages: Pages | None = None
) -> Slice:
    """Scan and write pages until the scan is complete or the monotonic clock reaches ``stop_at``.

    While a page is written, the next one is read. At least one page is written. Returns the next slice, which starts
    after the last page whose items are all acknowledged; ``on_page`` is called with the next slice after each page.
    ``pages`` replaces the scan of the table.

    Raises SearchUnavailable or SourceUnavailable if no page could be written. The slice can then be repeated.
    """
    with (
        infrequent_gc(),
        Prefetch(
            pages or runtime.scan(start.segment, start.total_segments),
            runtime.settings.refill_page_size,
            runtime.clock,
            runtime.indexer.prepare_items,
        ) as ahead,
    ):
        return _pages_until(runtime, ahead, start, stop_at, on_page)


def _pages_until(
    runtime: Runtime, ahead: Prefetch[PreparedItems], start: Slice, stop_at: float, on_page: OnPage | None
) -> Slice:
    """Write pages until the scan is complete or the time is over, retrying those that fail."""
    position, backoff, failures = start, Backoff(), 0
    while True:
        # Raises Stopping if the clock is stopped.
        runtime.clock.sleep(0)
        try:
            position = _one_page(runtime, ahead, position, stop_at, on_page)
            failures = 0
        except (SearchUnavailable, SourceUnavailable):
            # The failed page is read again, so the page after it would be too old when its turn comes.
            ahead.drop()
            failures += 1
            pause = backoff.pause(failures)
            if runtime.clock.monotonic() + pause >= stop_at:
                if position is start:
                    raise
                return position
            runtime.clock.sleep(pause)
        if position.done or (position is not start and runtime.clock.monotonic() >= stop_at):
            return position


def _one_page(
    runtime: Runtime, ahead: Prefetch[PreparedItems], position: Slice, stop_at: float, on_page: OnPage | None
) -> Slice:
    """Write the page at a position; return the next position."""
    prefetched = ahead.take(position.start_key)
    page, now = prefetched.page, runtime.clock.monotonic()
    if page.last_evaluated_key is not None and now < stop_at:
        ahead.start(page.last_evaluated_key)
    deadline = min(max(stop_at, now) + _FLUSH_SECONDS, prefetched.requested_at + _FRESH_SECONDS)
    indexes = position.indexes or runtime.alias.current()
    result = runtime.indexer.load(prefetched.items, deadline, indexes)
    if result.failed:
        reason = next(iter(result.failed.values()))
        raise SearchUnavailable("write a page of", runtime.sync.table, f"{len(result.failed)} items failed: {reason}")
    position = replace(position, start_key=page.last_evaluated_key, done=page.last_evaluated_key is None)
    if on_page:
        on_page(position, page, result)
    return position
