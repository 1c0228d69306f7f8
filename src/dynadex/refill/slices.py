"""Load an index from a table, in time-boxed slices that a Step Functions loop or a local loop drives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dynadex.change import Item
from dynadex.declaration import MIN_GC_DELETES_SECONDS
from dynadex.document.typed_json import binary
from dynadex.errors import SearchUnavailable, SourceUnavailable
from dynadex.gc_tuning import infrequent_gc
from dynadex.index.prepare import PreparedItems
from dynadex.index.results import ApplyResult
from dynadex.retry import Backoff
from dynadex.runtime import Runtime
from dynadex.source.prefetch import Prefetch
from dynadex.source.table_scan import Page, Pages

# Left of an invocation for flushing and answering; a page that was read may take so much of it to be written.
_RESERVE_SECONDS, _FLUSH_SECONDS = 30.0, 20.0
# A page written later than this after it was read could meet forgotten tombstones: it is thrown away, scanned again.
_FRESH_SECONDS = MIN_GC_DELETES_SECONDS / 2
_OWN = frozenset(("LastEvaluatedKey", "Segment", "TotalSegments", "Indexes"))


@dataclass(frozen=True, slots=True)
class Slice:
    """Where a slice starts, which part of the table its loop scans, and into which indexes (none: all there are).

    ``done``: there is nothing left to scan. ``extra`` is whatever else the event held; it rides along.
    """

    start_key: Item | None = None
    segment: int = 0
    total_segments: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    done: bool = False
    indexes: tuple[str, ...] = ()

    @classmethod
    def from_event(cls, event: Any) -> Slice:
        """From the refill Lambda's event: ``{}`` or ``{"LastEvaluatedKey": ..., "Segment": ..., ...}``.

        Raises ValueError for anything else.
        """
        if not isinstance(event, Mapping):
            raise ValueError(f"a refill takes an object such as {{}}, not {type(event).__name__}")
        segment, total = event.get("Segment", 0), event.get("TotalSegments", 1)
        if not (type(segment) is type(total) is int and 0 <= segment < total):
            raise ValueError(f"Segment {segment!r} is not within TotalSegments {total!r}")
        start_key = event.get("LastEvaluatedKey")
        if start_key is not None and (not isinstance(start_key, Mapping) or not start_key):
            raise ValueError(f"LastEvaluatedKey {start_key!r} is no key in typed JSON")
        indexes = event.get("Indexes", ())
        if not isinstance(indexes, list | tuple) or not all(isinstance(name, str) for name in indexes):
            raise ValueError(f"Indexes {indexes!r} is no list of names")
        extra = {name: value for name, value in event.items() if name not in _OWN}
        return cls(start_key, segment, total, extra, indexes=tuple(indexes))

    def as_event(self) -> dict[str, Any]:
        """What the refill Lambda returns: ``{}`` once all is scanned, else the event of the next slice."""
        if self.done or self.start_key is None:
            return {}
        return {**self.first_event(), "LastEvaluatedKey": _json_key(self.start_key)}

    def first_event(self) -> dict[str, Any]:
        """The event that a loop over this slice's part of the table begins with."""
        event = dict(self.extra)
        if self.total_segments > 1:
            event |= {"Segment": self.segment, "TotalSegments": self.total_segments}
        if self.indexes:
            event["Indexes"] = list(self.indexes)
        return event


def budget_seconds(slice_seconds: float, remaining: float | None) -> float:
    """How long a slice may scan, given the seconds left of its invocation (None: no limit but its own)."""
    return slice_seconds if remaining is None else min(slice_seconds, max(1.0, remaining - _RESERVE_SECONDS))


OnPage = Callable[[Slice, Page, ApplyResult], None]


def run_slice(
    runtime: Runtime, start: Slice, stop_at: float, on_page: OnPage | None = None, pages: Pages | None = None
) -> Slice:
    """Scan and write until the scan is complete or ``stop_at`` (of the monotonic clock) has come.

    While a page is written, the next one is read. At least one page is written. The slice returned starts after the
    last page whose every item was acknowledged; ``on_page`` is given the same after each page. ``pages`` come from a
    scan unless given.
    Raises SearchUnavailable or SourceUnavailable when not even one page could be written; the slice can simply be
    repeated.
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
    position, backoff, failures = start, Backoff(), 0
    while True:
        # A place to stop, where the clock can be stopped.
        runtime.clock.sleep(0)
        try:
            position = _one_page(runtime, ahead, position, stop_at, on_page)
            failures = 0
        except (SearchUnavailable, SourceUnavailable):
            # What follows a page that is read again is read again too, while there is time to write it.
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
    read = ahead.take(position.start_key)
    page, now = read.page, runtime.clock.monotonic()
    if page.last_evaluated_key is not None and now < stop_at:
        ahead.start(page.last_evaluated_key)
    deadline = min(max(stop_at, now) + _FLUSH_SECONDS, read.requested_at + _FRESH_SECONDS)
    indexes = position.indexes or runtime.alias.current()
    tally = runtime.indexer.load(read.items, deadline, indexes)
    if tally.failed:
        reason = next(iter(tally.failed.values()))
        raise SearchUnavailable("write a page of", runtime.sync.table, f"{len(tally.failed)} items failed: {reason}")
    position = replace(position, start_key=page.last_evaluated_key, done=page.last_evaluated_key is None)
    if on_page:
        on_page(position, page, tally)
    return position


def _json_key(key: Item) -> dict[str, Any]:
    return {
        name: {kind: binary(content) if kind == "B" else content for kind, content in value.items()}
        for name, value in key.items()
    }
