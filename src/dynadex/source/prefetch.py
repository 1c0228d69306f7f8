"""Reads and prepares the next page while the previous one is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.versioning import MICROSECONDS
from dynadex.source.table_scan import Page, Pages

# A page that waited longer is read again: the older a page is, the less time remains to write it.
_MAX_WAIT_SECONDS = 20.0

Result = TypeVar("Result")


def in_background(work: Callable[[], Result]) -> Future[Result]:
    """Start ``work`` in a new thread. The future returns its result, or raises its error."""
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            result.set_exception(error)

    # A daemon thread: a request that hangs does not keep the process from ending.
    threading.Thread(target=run, name="read ahead", daemon=True).start()
    return result


@dataclass(frozen=True, slots=True)
class PrefetchedPage(Generic[Result]):
    """A page, its prepared items, and the monotonic time at which it was requested, in seconds."""

    page: Page
    items: Result
    requested_at: float


class Prefetch(Generic[Result]):
    """Reads and prepares at most one page ahead, in a separate thread. Nothing else may use the pages in the meantime.

    Leaving a ``with`` block ends the thread, and drops a page that was not taken.
    """

    def __init__(
        self, pages: Pages, limit: int, clock: Clock, prepare: Callable[[Iterable[Item], int], Result]
    ) -> None:
        self._pages = pages
        self._limit = limit
        self._clock = clock
        self._prepare = prepare
        self._ahead: tuple[Mapping[str, Any] | None, Future[PrefetchedPage[Result]]] | None = None

    def start(self, start_key: Mapping[str, Any] | None) -> None:
        """Start to read the page after ``start_key``."""
        self._ahead = start_key, in_background(partial(self._read, start_key))

    def take(self, start_key: Mapping[str, Any] | None) -> PrefetchedPage[Result]:
        """Return the page after ``start_key``, which was read ahead or is read now.

        Raises SourceError, or ValueError for an item without a usable key.
        """
        ahead, self._ahead = self._ahead, None
        if ahead:
            prefetched = ahead[1].result()
            if ahead[0] == start_key and self._clock.monotonic() - prefetched.requested_at <= _MAX_WAIT_SECONDS:
                return prefetched
        return self._read(start_key)

    def drop(self) -> None:
        """Wait for the page that is being read, and drop it."""
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead[1].exception()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    def _read(self, start_key: Mapping[str, Any] | None) -> PrefetchedPage[Result]:
        called_at = self._clock.monotonic()
        page = self._pages.page(start_key, self._limit)
        # With a limited read capacity, most of this time passes before the page is requested.
        age = max(0.0, (self._clock.now_us() - page.requested_at_us) / MICROSECONDS)
        requested_at = max(called_at, self._clock.monotonic() - age)
        return PrefetchedPage(page, self._prepare(page.items, page.requested_at_us), requested_at)
