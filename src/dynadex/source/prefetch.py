"""Reads and prepares what comes next while what came before is written."""

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

# A page that waited longer for its turn is read again: the older it is, the less time is left to write it.
_MAX_WAIT_SECONDS = 20.0

Result = TypeVar("Result")


def in_background(work: Callable[[], Result]) -> Future[Result]:
    """Begin to work in a thread of its own. Whatever is raised there is raised by whoever asks for the result."""
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is taken
            result.set_exception(error)

    # A daemon: a table that hangs does not keep a process from ending that was told to.
    threading.Thread(target=run, name="read ahead", daemon=True).start()
    return result


@dataclass(frozen=True, slots=True)
class PrefetchedPage(Generic[Result]):
    """A page, what its items come to, and when it was requested, by the monotonic clock."""

    page: Page
    items: Result
    at: float


class Prefetch(Generic[Result]):
    """One page at most is read and prepared ahead, by a thread of its own; nobody else may read these pages meanwhile.

    Left behind by ``with``, it has ended: what was read ahead and not taken was read for nothing.
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
        """Begin to read the page after ``start_key``."""
        self._ahead = start_key, in_background(partial(self._read, start_key))

    def take(self, start_key: Mapping[str, Any] | None) -> PrefetchedPage[Result]:
        """The page after ``start_key``, read ahead or now. Raises SourceError, or ValueError where an
        item has no usable key."""
        ahead, self._ahead = self._ahead, None
        if ahead:
            found = ahead[1].result()
            if ahead[0] == start_key and self._clock.monotonic() - found.at <= _MAX_WAIT_SECONDS:
                return found
        return self._read(start_key)

    def drop(self) -> None:
        """Wait for what is being read, and forget it."""
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
        asked_at = self._clock.monotonic()
        page = self._pages.page(start_key, self._limit)
        # Within a read capacity, most of the time goes by before a page is requested.
        age = max(0.0, (self._clock.now_us() - page.requested_at_us) / MICROSECONDS)
        at = max(asked_at, self._clock.monotonic() - age)
        return PrefetchedPage(page, self._prepare(page.items, page.requested_at_us), at)
