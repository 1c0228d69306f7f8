"""Readiness of the service: the index is reachable, complete, and not too far behind its table.

``/health/live`` and ``/health/ready`` serve load balancers and process supervisors.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from dynadex.clock import Clock, SystemClock
from dynadex.errors import DynadexError, SearchError
from dynadex.http.response import reply
from dynadex.index.aliases import is_unfilled

MAX_LAG_SECONDS = 60.0
# Load balancers wait a few seconds for a response; the service must respond within that time.
TIMEOUT_SECONDS = 2.0
CACHE_SECONDS = 1.0
# A backend may have recovered long before a call to it times out, so a new call is made after this time.
_RETRY_SECONDS = 10.0
_COUNT_NOTHING: Mapping[str, Any] = {"size": 0, "track_total_hits": False}

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class MonitoredIndex(Protocol):
    """The calls to the index that a health check makes."""

    def search(self, index: str, body: Mapping[str, Any], timeout_seconds: float | None = None) -> Any:
        """Return OpenSearch's reply to a search."""

    def indexes_behind(self, alias: str) -> list[str]:
        """Return the names of the physical indexes behind an alias."""


class LagSource(Protocol):
    """How far the index is behind its table. Both methods may raise DynadexError."""

    def lag_seconds(self) -> float | None:
        """Return the lag: every change older than this is applied or dead-lettered.

        None: the lag is not tracked. Infinite: the worker that tracks it has not reported yet.
        """

    def stale(self) -> str | None:
        """Return why the index is declared stale, or None. Only a complete refill recovers it."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The result of a health check.

    Attributes:
        reasons: Why the service is not ready; empty if it is.
        lag_seconds: The lag of the index, None if unknown.
    """

    reasons: tuple[str, ...]
    lag_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the body of the response."""
        if self.reasons:
            return {"status": "not ready", "reasons": list(self.reasons)}
        lag = self.lag_seconds
        return {"status": "ready", "lag_seconds": None if lag is None else round(lag, 1)}


class Health:
    """Checks the index and its lag concurrently, and caches the result for ``CACHE_SECONDS``.

    All calls must come from one event loop at a time.
    """

    def __init__(
        self,
        alias: str,
        index: MonitoredIndex,
        lag_source: LagSource | None = None,
        max_lag_seconds: float = MAX_LAG_SECONDS,
        clock: Clock | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._clock = clock or SystemClock()
        self._max_lag_seconds = max_lag_seconds
        self._index = _Check(lambda: index_reasons(alias, index, timeout_seconds), self._clock, timeout_seconds)
        self._lag = _Check(lambda: _lag_report(lag_source), self._clock, timeout_seconds)
        self._readiness = Readiness(())
        self._cached_until = float("-inf")

    async def ready(self) -> Readiness:
        """Return whether load balancers should send searches here, at most ``CACHE_SECONDS`` old."""
        if self._clock.monotonic() >= self._cached_until:
            index_result, lag = await asyncio.gather(self._index.result(), self._lag.result())
            reasons = ("the index does not respond in time",) if index_result is None else index_result
            self._cache(Readiness((*reasons, *self._lag_reasons(lag)), lag.lag_seconds if lag else None))
        return self._readiness

    def _cache(self, readiness: Readiness) -> None:
        if bool(readiness.reasons) != bool(self._readiness.reasons):
            state = f"not ready: {'; '.join(readiness.reasons)}" if readiness.reasons else "ready again"
            _log.warning("The service is %s.", state)
        self._readiness = readiness
        self._cached_until = self._clock.monotonic() + CACHE_SECONDS

    def _lag_reasons(self, report: _LagReport | None) -> Iterator[str]:
        if report is None:
            yield "the lag could not be read in time"
            return
        if report.failed:
            yield "the lag cannot be read"
        if report.stale:
            yield "the index is declared stale"
        lag, max_lag = report.lag_seconds, self._max_lag_seconds
        if lag == math.inf:
            yield "no worker has caught up with the table yet"
        elif lag is not None and lag > max_lag:
            yield f"the index is {lag:.1f} s behind its table, more than {max_lag:g} s"


class HealthEndpoints:
    """GET of liveness and readiness."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def live(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        return reply({"status": "live"})

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        readiness = await self._health.ready()
        return reply(readiness.as_json(), 503 if readiness.reasons else 200)


@dataclass(frozen=True, slots=True)
class _LagReport:
    lag_seconds: float | None = None
    stale: bool = False
    failed: bool = False


class _Check(Generic[Result]):
    """A blocking call in a separate thread. Callers that arrive while it runs share its result."""

    def __init__(self, call: Callable[[], Result], clock: Clock, timeout_seconds: float) -> None:
        self._call = call
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._pending: Future[Result] | None = None
        self._started_at = 0.0

    async def result(self) -> Result | None:
        """Return the result, or None if the call exceeds the timeout."""
        pending = self._pending_call()
        remaining = self._started_at + self._timeout_seconds - self._clock.monotonic()
        waiting = asyncio.wrap_future(pending)
        await asyncio.wait([waiting], timeout=max(0.0, remaining))
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        # The call may be done although the event loop has not been notified yet, because it is busy.
        return pending.result() if pending.done() else None

    def _pending_call(self) -> Future[Result]:
        now, pending = self._clock.monotonic(), self._pending
        if pending is None or pending.done() or now - self._started_at >= _RETRY_SECONDS:
            pending = self._pending = Future()
            self._started_at = now
            # A caller that stops waiting must not cancel the call for the others.
            pending.set_running_or_notify_cancel()
            # Not in a pool: a hanging call must neither take a thread from searches nor keep the process from exiting.
            threading.Thread(target=self._run, args=(pending,), name="health", daemon=True).start()
        return pending

    def _run(self, future: Future[Result]) -> None:
        try:
            future.set_result(self._call())
        except BaseException as error:  # noqa: BLE001 - raised again for the callers that wait
            future.set_exception(error)


def index_reasons(alias: str, index: MonitoredIndex, timeout_seconds: float) -> tuple[str, ...]:
    """Return why searches of the index would fail or be incomplete."""
    try:
        searched = index.search(alias, _COUNT_NOTHING, timeout_seconds)
        unfilled = is_unfilled(index, alias)
    except SearchError as error:
        _log.warning("%s", error)
        return ("the index is missing" if error.not_found else "the index cannot be reached",)
    shards = searched.get("_shards", {})
    # A shard without a node does not count as failed; it is only missing from the successful ones.
    if shards.get("failed") or shards.get("successful", 0) < shards.get("total", 0):
        return ("some shards of the index cannot be searched",)
    return ("the index awaits a backfill of the items older than it",) if unfilled else ()


def _lag_report(lag_source: LagSource | None) -> _LagReport:
    if lag_source is None:
        return _LagReport()
    try:
        return _LagReport(lag_source.lag_seconds(), lag_source.stale() is not None)
    except DynadexError as error:
        _log.warning("%s", error)
        return _LagReport(failed=True)
