"""Routes of the live view: the changes that flow from the table to the index, and operations that the page starts.

Only a process that contains the worker can serve them, such as the demo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dynadex.clock import Clock
from dynadex.errors import DynadexError
from dynadex.http.auth import Auth, protected
from dynadex.http.health import Health
from dynadex.http.response import reply
from dynadex.search.problem import Problem

LIVE = "/api/live"
_MAX_LETTERS = 20
_MAX_INDEXES = 20
_CACHE_SECONDS = 1.0
# An idle worker saves its position every eight seconds. A larger lag is real.
_IDLE_SECONDS = 15.0


class Feed(Protocol):
    """The changes of the last minute."""

    def flow(self) -> AsJson:
        """Return the changes of the last minute."""


class AsJson(Protocol):
    """A value for the page."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""


class OperationRunner(Protocol):
    """Runs one operation at a time."""

    def start(self, name: str) -> bool:
        """Start an operation; return False if one is running. Raises KeyError for an unknown name."""

    def latest(self) -> AsJson | None:
        """Return the running operation, otherwise the last one."""


@dataclass(frozen=True, slots=True)
class LiveDeadLetter:
    """A dead-lettered key with the reason and the time (ISO)."""

    id: str
    reason: str
    dead_lettered_at: str


@dataclass(frozen=True, slots=True)
class LiveSources:
    """Functions that read the other values of the live view. Each may raise DynadexError.

    ``dead_letters`` returns the number of dead letters and the first of them; ``indexes`` the name, role and number of
    documents of each physical index; ``stale`` the reason why the index is stale, or None.
    """

    dead_letters: Callable[[], tuple[int, Sequence[LiveDeadLetter]]]
    indexes: Callable[[], Sequence[tuple[str, str, int]]]
    stale: Callable[[], str | None]


def live_routes(
    feed: Feed, health: Health, sources: LiveSources, operations: OperationRunner, auth: Auth, clock: Clock
) -> list[BaseRoute]:
    """Return the routes for ``create_app``. ``health`` must not be shared with other routes."""
    live = _LiveEndpoints(feed, health, _SourceCache(sources, clock), operations, clock)
    return [
        Route(LIVE, live.show),
        Route("/api/operations/{name}", protected(auth, live.operate), methods=["POST"]),
    ]


class _LiveEndpoints:
    def __init__(
        self, feed: Feed, health: Health, sources: _SourceCache, operations: OperationRunner, clock: Clock
    ) -> None:
        self._feed = feed
        self._health = health
        self._sources = sources
        self._operations = operations
        self._clock = clock

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        ready = await self._health.ready()
        flow = self._feed.flow().as_json()
        lag_seconds = ready.lag_seconds
        if lag_seconds is not None and lag_seconds > _IDLE_SECONDS:
            # The feed does not contain changes that the worker has not read yet.
            flow["lag_seconds"] = round(lag_seconds, 2) if lag_seconds < float("inf") else None
        operation = self._operations.latest()
        return reply(
            {
                "now": self._clock.now_us(),
                "ready": not ready.reasons,
                "reasons": list(ready.reasons),
                **flow,
                **await run_in_threadpool(self._sources.values),
                "operation": operation.as_json() if operation else None,
            }
        )

    async def operate(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            started = self._operations.start(name)
        except KeyError:
            raise Problem(404, "not_found", "The operation does not exist.") from None
        if not started:
            raise Problem(409, "busy", "Another operation is running. Wait until it ends.")
        operation = self._operations.latest()
        return reply({"operation": operation.as_json() if operation else None}, 202)


class _SourceCache:
    """The values of the sources. They are read at most once a second, regardless of the number of viewers."""

    def __init__(self, sources: LiveSources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._values: dict[str, Any] = {}
        self._expires_at = float("-inf")

    def values(self) -> dict[str, Any]:
        if self._clock.monotonic() >= self._expires_at:
            self._values = self._read()
            self._expires_at = self._clock.monotonic() + _CACHE_SECONDS
        return self._values

    def _read(self) -> dict[str, Any]:
        # A source that fails leaves the others visible: the view is needed most during an outage.
        count, letters = _or(self._sources.dead_letters, (0, ()))
        return {
            "dead_letters": {"total": count, "letters": [asdict(letter) for letter in letters[:_MAX_LETTERS]]},
            "stale": _or(self._sources.stale, None),
            "indexes": [
                {"name": name, "role": role, "documents": documents}
                for name, role, documents in _or(self._sources.indexes, ())[:_MAX_INDEXES]
            ],
        }


def _or(read: Callable[[], Any], default: Any) -> Any:
    try:
        return read()
    except DynadexError:
        return default
