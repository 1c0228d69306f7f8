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

    A page is paid for when it is asked for, by what it will cost as far as one can tell, and once it is read, by what
    it did cost: the next one, whoever asks for it, waits until the debt is paid off. Pages are cut to what one second
    allows, so that a small allowance is not spent in bursts.
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
        asked, seconds = self._turn(limit)
        consumed = 0.0
        try:
            page = pages.page(start_key, asked)
            consumed = page.consumed_capacity
            return page
        finally:
            with self._lock:
                if consumed > 0 and page.items:
                    self._items_per_unit = len(page.items) / consumed
                self._paid_at += consumed / self._units - seconds

    def _turn(self, limit: int | None) -> tuple[int, float]:
        """Wait until all is paid for; how many items to ask for, and how many seconds of the allowance they take."""
        while True:
            with self._lock:
                now = self._clock.monotonic()
                wait = self._paid_at - now
                if wait <= _NO_TIME:
                    allowed = max(1, int(self._units * self._items_per_unit))
                    asked = min(allowed, limit or allowed)
                    seconds = asked / self._items_per_unit / self._units
                    self._paid_at = max(self._paid_at, now) + seconds
                    return asked, seconds
            self._clock.sleep(wait)


class _Paced:
    def __init__(self, pages: Pages, capacity: ReadCapacity) -> None:
        self._pages = pages
        self._capacity = capacity

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        return self._capacity.page(self._pages, start_key, limit)

    def close(self) -> None:
        self._pages.close()
