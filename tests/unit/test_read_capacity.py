"""ReadCapacity limits reads at any size of the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dynadex.source.read_capacity import ReadCapacity
from dynadex.source.table_scan import Page
from dynadex.testing import ManualClock


class Items:
    """An endless table of items with the same number of units each."""

    def __init__(self, units_each: float, clock: ManualClock) -> None:
        self.units_each = units_each
        self.clock = clock
        self.read = 0
        self.units = 0.0
        self.largest = 0.0

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        assert limit
        units = limit * self.units_each
        self.read += limit
        self.units += units
        self.largest = max(self.largest, units)
        return Page([{}] * limit, self.clock.now_us(), start_key, units)

    def close(self) -> None:
        """Nothing to do."""


@pytest.mark.parametrize("units_each", [0.1, 1.0, 7.0, 100.0])
@pytest.mark.parametrize("allowance", [5, 50])
def test_units_per_second_are_limited(units_each: float, allowance: float) -> None:
    clock = ManualClock(0)
    items = Items(units_each, clock)
    pages = ReadCapacity(allowance, clock).of(items)
    while clock.monotonic() < 100:
        pages.page(None, 1000)
    # The units of the last page have not accrued yet.
    assert items.units - items.largest <= allowance * clock.monotonic()
    # The first page is an estimate; the others have at most the units of a second, or one item.
    assert items.units >= allowance * 95 * min(1.0, 1000 * units_each / allowance)


def test_pages_are_limited_to_a_second_and_to_the_limit() -> None:
    clock = ManualClock(0)
    items = Items(0.5, clock)
    pages = ReadCapacity(10, clock).of(items)
    assert len(pages.page(None).items) == 10
    assert len(pages.page(None).items) == 20
    assert len(pages.page(None, 3).items) == 3


def test_scans_share_the_capacity() -> None:
    clock = ManualClock(0)
    first, second = Items(1, clock), Items(1, clock)
    capacity = ReadCapacity(10, clock)
    pages = [capacity.of(first), capacity.of(second)]
    while clock.monotonic() < 60:
        for scan in pages:
            scan.page(None)
    assert first.units + second.units <= 10 * clock.monotonic() + 20


def test_empty_page_does_not_change_the_estimate() -> None:
    clock = ManualClock(0)

    class Empty:
        def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:  # noqa: ARG002
            return Page([], clock.now_us(), {"id": {"S": "a"}}, 0.0)

        def close(self) -> None:
            """Nothing to do."""

    pages = ReadCapacity(10, clock).of(Empty())
    for _ in range(3):
        assert pages.page(None).items == []
    assert clock.monotonic() < 1


def test_page_that_is_being_read_is_charged_to_concurrent_reads() -> None:
    clock = ManualClock()
    capacity = ReadCapacity(10, clock)
    read_at: list[float] = []

    class Concurrent:
        """Reads another page while the first one is being read."""

        def page(self, _start_key: Any, _limit: int | None = None) -> Page:
            read_at.append(clock.monotonic())
            if len(read_at) == 1:
                capacity.of(self).page(None, 10)
            return Page(({"id": {"S": "1"}},) * 10, clock.now_us(), None, 10.0)

        def close(self) -> None:
            """Nothing is open."""

    capacity.of(Concurrent()).page(None, 10)
    first, second = read_at
    assert second - first >= 1.0
