"""Whether this service is fit to answer: it reaches an index that is there, whole, and not too far behind its table."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from dynadex.clock import Clock, SystemClock
from dynadex.errors import DynadexError, SearchError
from dynadex.index.aliases import is_unfilled

MAX_LAG_SECONDS = 60.0
# Load balancers wait a few seconds for an answer; it must come before they give up.
ANSWER_SECONDS = 2.0
KEPT_SECONDS = 1.0
# A backend may be back long before a call to it gives up.
_ASKED_ANEW_SECONDS = 10.0
_NOTHING: Mapping[str, Any] = {"size": 0, "track_total_hits": False}

_log = logging.getLogger(__name__)

Told = TypeVar("Told")


class MonitoredIndex(Protocol):
    """What is asked of the index."""

    def search(self, index: str, body: Mapping[str, Any], timeout_seconds: float | None = None) -> Any:
        """A search, as OpenSearch answers it."""

    def indexes_behind(self, alias: str) -> list[str]:
        """The physical indexes behind an alias."""


class LagSource(Protocol):
    """What is known of how far the index is behind its table. Both calls may raise DynadexError."""

    def lag_seconds(self) -> float | None:
        """Every change older than this is applied or dead-lettered. None: nobody keeps account of it; infinite: whoever
        should has not said yet."""

    def stale(self) -> str | None:
        """Why the index is declared stale, or None. A refill that is under way has not mended it yet."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready if there is no reason against it. ``lag_seconds`` None: not known."""

    reasons: tuple[str, ...]
    lag_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """What the service answers."""
        if self.reasons:
            return {"status": "not ready", "reasons": list(self.reasons)}
        lag = self.lag_seconds
        return {"status": "ready", "lag_seconds": None if lag is None else round(lag, 1)}


class Health:
    """Looks at the index and at its freshness, both at once, and keeps what it found for a moment.

    All calls come from one event loop at a time.
    """

    def __init__(
        self,
        name: str,
        index: MonitoredIndex,
        freshness: LagSource | None = None,
        max_lag_seconds: float = MAX_LAG_SECONDS,
        clock: Clock | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._clock = clock or SystemClock()
        self._max_lag_seconds = max_lag_seconds
        index_reasons = _index_reasons(name, index, answer_seconds)
        self._index = _Question(index_reasons, self._clock, answer_seconds)
        self._freshness = _Question(_freshness_told(freshness), self._clock, answer_seconds)
        self._found = Readiness(())
        self._kept_until = float("-inf")

    async def ready(self) -> Readiness:
        """Whether searches should come here, as of a moment ago."""
        if self._clock.monotonic() >= self._kept_until:
            index, fresh = await asyncio.gather(self._index.answer(), self._freshness.answer())
            self._keep(Readiness((*_of_index(index), *self._of_freshness(fresh)), fresh.lag_seconds if fresh else None))
        return self._found

    def _keep(self, found: Readiness) -> None:
        if bool(found.reasons) != bool(self._found.reasons):
            _log.warning("%s", f"not ready: {'; '.join(found.reasons)}" if found.reasons else "ready again")
        self._found = found
        self._kept_until = self._clock.monotonic() + KEPT_SECONDS

    def _of_freshness(self, told: _Fresh | None) -> Iterator[str]:
        if told is None:
            yield "how fresh the index is was not told in time"
            return
        if told.failed:
            yield "how fresh the index is cannot be told"
        if told.stale:
            yield "the index is declared stale"
        lag, most = told.lag_seconds, self._max_lag_seconds
        if lag == math.inf:
            yield "no worker has caught up with the table yet"
        elif lag is not None and lag > most:
            yield f"the index is {lag:.1f} s behind its table, more than {most:g} s"


@dataclass(frozen=True, slots=True)
class _Fresh:
    lag_seconds: float | None = None
    stale: bool = False
    failed: bool = False


class _Question(Generic[Told]):
    """Something that blocks, asked in a thread of its own: whoever asks meanwhile waits for the same answer."""

    def __init__(self, ask: Callable[[], Told], clock: Clock, answer_seconds: float) -> None:
        self._ask = ask
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._pending: Future[Told] | None = None
        self._asked_at = 0.0

    async def answer(self) -> Told | None:
        """The answer, None when it is late."""
        pending = self._asked()
        left = self._asked_at + self._answer_seconds - self._clock.monotonic()
        waiting = asyncio.wrap_future(pending)
        await asyncio.wait([waiting], timeout=max(0.0, left))
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        # Not only what waits for it: a busy event loop may not have heard yet.
        return pending.result() if pending.done() else None

    def _asked(self) -> Future[Told]:
        now, pending = self._clock.monotonic(), self._pending
        if pending is None or pending.done() or now - self._asked_at >= _ASKED_ANEW_SECONDS:
            pending = self._pending = Future()
            self._asked_at = now
            # So that nobody who stops waiting takes it from the others.
            pending.set_running_or_notify_cancel()
            # Not of a pool: what hangs must neither keep searches from a thread nor the process from its end.
            threading.Thread(target=self._work, args=(pending,), name="health", daemon=True).start()
        return pending

    def _work(self, future: Future[Told]) -> None:
        try:
            future.set_result(self._ask())
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            future.set_exception(error)


def _index_reasons(name: str, index: MonitoredIndex, answer_seconds: float) -> Callable[[], tuple[str, ...]]:
    def ask() -> tuple[str, ...]:
        try:
            reply = index.search(name, _NOTHING, answer_seconds)
            unfilled = is_unfilled(index, name)
        except SearchError as error:
            _log.warning("%s", error)
            return ("the index is missing" if error.not_found else "the index cannot be reached",)
        shards = reply.get("_shards", {})
        # A shard that has no node is no failure: it is only missing among the successes.
        if shards.get("failed") or shards.get("successful", 0) < shards.get("total", 0):
            return ("a part of the index cannot be searched",)
        return ("the index awaits the refill that brings the items older than it",) if unfilled else ()

    return ask


def _of_index(told: tuple[str, ...] | None) -> tuple[str, ...]:
    return ("the index does not answer in time",) if told is None else told


def _freshness_told(freshness: LagSource | None) -> Callable[[], _Fresh]:
    def ask() -> _Fresh:
        if freshness is None:
            return _Fresh()
        try:
            return _Fresh(freshness.lag_seconds(), freshness.stale() is not None)
        except DynadexError as error:
            _log.warning("%s", error)
            return _Fresh(failed=True)

    return ask
