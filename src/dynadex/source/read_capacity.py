"""Limits reads to a number of read capacity units per second, by the units that DynamoDB reports for each page."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dynadex.clock import Clock
from dynadex.source.table_scan import Page, Pages

# Shorter than any wait of a clock.
_MIN_WAIT_SECONDS = 1e-5


class ReadCapacity:
    """A number of read capacity units per second that several scans share.

    A page is charged with its estimated units when it is requested, and corrected to the consumed units once it is
    read. The next page of any scan waits until the units of the previous ones have accrued. Pages are limited to the
    units of one second, so that a small capacity is not consumed in bursts.
    """

    def __init__(self, units: float, clock: Clock) -> None:
        self._units = units
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_at = clock.monotonic()
        # The estimate before the first page: an item of up to 4 KB consumes one unit.
        self._items_per_unit = 1.0

    def of(self, pages: Pages) -> Pages:
        """Return pages that are read within this capacity."""
        return _Paced(pages, self)

    def page(self, pages: Pages, start_key: Mapping[str, Any] | None, limit: int | None) -> Page:
        """Return a page, once the units of the previous ones have accrued. Raises SourceError."""
        max_items, seconds = self._turn(limit)
        consumed = 0.0
        try:
            page = pages.page(start_key, max_items)
            consumed = page.consumed_capacity
            return page
        finally:
            with self._lock:
                if consumed > 0 and page.items:
                    self._items_per_unit = len(page.items) / consumed
                self._paid_at += consumed / self._units - seconds

    def _turn(self, limit: int | None) -> tuple[int, float]:
        """Wait for the previous pages. Return how many items to read, and the seconds in which their units accrue."""
        while True:
            with self._lock:
                now = self._clock.monotonic()
                wait = self._paid_at - now
                if wait <= _MIN_WAIT_SECONDS:
                    allowed = max(1, int(self._units * self._items_per_unit))
                    max_items = min(allowed, limit or allowed)
                    seconds = max_items / self._items_per_unit / self._units
                    self._paid_at = max(self._paid_at, now) + seconds
                    return max_items, seconds
            self._clock.sleep(wait)


class _Paced:
    def __init__(self, pages: Pages, capacity: ReadCapacity) -> None:
        self._pages = pages
        self._capacity = capacity

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        return self._capacity.page(self._pages, start_key, limit)

    def close(self) -> None:
        self._pages.close()
