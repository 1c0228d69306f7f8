"""Reads no faster than so many read capacity units a second, by what DynamoDB says that each page consumed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dynadex.clock import Clock
from dynadex.source.table_scan import Page, Pages

# Less than any clock can wait.
_NO_TIME = 1e-5


class ReadCapacity:
    """An allowance that several scans share. ``units`` is per second.

    A page is paid for after it is read: the next one, whoever asks for it, waits until the debt is paid off. Pages
    are cut to what one second allows, so that a small allowance is not spent in bursts.
    """

    def __init__(self, units: float, clock: Clock) -> None:
        self._units = units
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_at = clock.monotonic()
        # Until the first page tells: an item of up to 4 KB costs one unit.
        self._items_per_unit = 1.0

    def of(self, pages: Pages) -> Pages:
        """The same pages, read within this allowance."""
        return _Paced(pages, self)

    def page(self, pages: Pages, start_key: Mapping[str, Any] | None, limit: int | None) -> Page:
        """One page, once its predecessors are paid for."""
        while (wait := self._paid_at - self._clock.monotonic()) > _NO_TIME:
            self._clock.sleep(wait)
        allowed = max(1, int(self._units * self._items_per_unit))
        page = pages.page(start_key, min(allowed, limit or allowed))
        with self._lock:
            if page.consumed_capacity > 0 and page.items:
                self._items_per_unit = len(page.items) / page.consumed_capacity
            self._paid_at = max(self._paid_at, self._clock.monotonic()) + page.consumed_capacity / self._units
        return page


class _Paced:
    def __init__(self, pages: Pages, capacity: ReadCapacity) -> None:
        self._pages = pages
        self._capacity = capacity

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        return self._capacity.page(self._pages, start_key, limit)

    def close(self) -> None:
        self._pages.close()
