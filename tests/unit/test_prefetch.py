"""Prefetch reads the next page while one is written, and never returns a wrong or an old one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from dynadex.errors import SourceUnavailable
from dynadex.index.prepare import DocumentWrites, PreparedItems
from dynadex.source.prefetch import Prefetch
from dynadex.source.table_scan import Page
from dynadex.testing import ManualClock

FIRST, SECOND, THIRD = None, {"id": {"S": "1"}}, {"id": {"S": "2"}}


class Pages:
    """Records which pages are read. The only item of a page is its start key."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.failures: list[BaseException] = []
        self.open = threading.Event()
        self.open.set()

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        self.open.wait()
        self.read.append(start_key)
        if self.failures:
            raise self.failures.pop()
        return Page([start_key or {}], limit or 0, None, 0.0)

    def close(self) -> None: ...


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ahead(pages: Pages, clock: ManualClock) -> Prefetch[PreparedItems]:
    return Prefetch(
        pages, 7, clock, lambda items, at: PreparedItems({str(item): item for item in items}, DocumentWrites(), at)
    )


def test_prefetched_page_is_not_read_again(ahead: Prefetch[PreparedItems], pages: Pages, clock: ManualClock) -> None:
    assert ahead.take(FIRST).page.items == [{}]
    ahead.start(SECOND)
    clock.advance(5)
    taken = ahead.take(SECOND)
    assert taken.page.items == [SECOND]
    assert (list(taken.items.keys.values()), taken.items.not_indexed) == ([SECOND], 7)
    assert taken.page.requested_at_us == 7
    assert pages.read == [FIRST, SECOND]
    ahead.take(SECOND)
    assert pages.read == [FIRST, SECOND, SECOND]


def test_start_does_not_wait_for_the_page(ahead: Prefetch[PreparedItems], pages: Pages) -> None:
    pages.open.clear()
    ahead.start(SECOND)
    assert pages.read == []
    pages.open.set()
    assert ahead.take(SECOND).page.items == [SECOND]


def test_other_page_than_the_prefetched_one_is_read_when_taken(ahead: Prefetch[PreparedItems], pages: Pages) -> None:
    ahead.start(SECOND)
    assert ahead.take(FIRST).page.items == [{}]
    assert pages.read == [SECOND, FIRST]


def test_old_page_is_read_again(ahead: Prefetch[PreparedItems], pages: Pages, clock: ManualClock) -> None:
    began = clock.monotonic()
    pages.open.clear()
    ahead.start(SECOND)
    pages.open.set()
    ahead._ahead[1].result()  # type: ignore[index]
    clock.advance(20)
    assert ahead.take(SECOND).requested_at == began
    ahead.start(THIRD)
    ahead._ahead[1].result()  # type: ignore[index]
    clock.advance(20.1)
    assert ahead.take(THIRD).requested_at == clock.monotonic()
    assert pages.read == [SECOND, THIRD, THIRD]


@pytest.mark.parametrize("error", [SourceUnavailable("scan", "table", "throttled"), KeyboardInterrupt()], ids=repr)
def test_error_of_the_prefetch_is_raised_by_take(
    ahead: Prefetch[PreparedItems], pages: Pages, error: BaseException
) -> None:
    pages.failures.append(error)
    ahead.start(SECOND)
    with pytest.raises(type(error)):
        ahead.take(SECOND)
    assert ahead.take(SECOND).page.items == [SECOND]


def test_end_of_the_block_drops_the_prefetched_page(ahead: Prefetch[PreparedItems], pages: Pages) -> None:
    pages.failures.append(SourceUnavailable("scan", "table", "throttled"))
    with ahead:
        ahead.start(SECOND)
    assert pages.read == [SECOND]
    assert ahead.take(SECOND).page.items == [SECOND]
    assert pages.read == [SECOND, SECOND]
