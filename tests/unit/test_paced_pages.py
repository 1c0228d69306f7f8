"""Prefetch with a limited read capacity reads each page once."""

from __future__ import annotations

from typing import Any

from dynadex.index.prepare import DocumentWrites, PreparedItems
from dynadex.source.prefetch import Prefetch
from dynadex.source.read_capacity import ReadCapacity
from dynadex.source.table_scan import Page
from dynadex.testing import ManualClock


class Table:
    """A table whose pages consume 30 times the capacity of a second: items of 400 KB, 100 units each."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.read: list[int] = []

    def page(self, start_key: Any, limit: int | None = None) -> Page:  # noqa: ARG002
        number = int(start_key["n"]["N"]) if start_key else 0
        self.read.append(number)
        return Page(({"id": {"S": str(number)}},), self.clock.now_us(), {"n": {"N": str(number + 1)}}, 300.0)

    def close(self) -> None: ...


def test_time_before_the_request_does_not_age_a_page() -> None:
    clock = ManualClock()
    table = Table(clock)
    pages = ReadCapacity(10, clock).of(table)
    with Prefetch(pages, 2000, clock, lambda *_: PreparedItems({}, DocumentWrites(), 0)) as ahead:
        key = None
        for _ in range(5):
            key = ahead.take(key).page.last_evaluated_key
            ahead.start(key)
    assert sorted(set(table.read)) == table.read, table.read
