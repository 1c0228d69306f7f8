"""Routes of the live view: what flows from the table to the index, and operations at the push of a button.

Only a process that has the worker in it can serve them, as the demo does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
_KEPT_SECONDS = 1.0
# With nothing to do a worker notes how far it is every eight seconds; beyond this, it is behind.
_IDLE_SECONDS = 15.0


class Feed(Protocol):
    """Tells of the changes that were applied lately."""

    def flow(self) -> Told:
        """The last minute."""


class Told(Protocol):
    """Something that the page is told."""

    def as_json(self) -> dict[str, Any]:
        """As plain JSON."""


class OperationRunner(Protocol):
    """Runs one operation at a time."""

    def start(self, name: str) -> bool:
        """Start one; False when one runs. Raises KeyError for a name that is none."""

    def now(self) -> Told | None:
        """The one that runs, or ran last."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A key that is dead-lettered, why, and since when (ISO time)."""

    id: str
    reason: str
    dead_lettered_at: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is besides the flow. Each call may raise DynadexError.

    ``dead-lettered`` gives the number of dead-lettered keys and some of them; ``indexes`` name, role and documents of
    each physical index; ``stale`` why the index is declared stale, or None.
    """

    dead_letters: Callable[[], tuple[int, Sequence[Letter]]]
    indexes: Callable[[], Sequence[tuple[str, str, int]]]
    stale: Callable[[], str | None]


def live_routes(
    feed: Feed, health: Health, around: Surroundings, operations: OperationRunner, auth: Auth, clock: Clock
) -> list[BaseRoute]:
    """The routes, for ``create_app``. ``health`` is for these routes alone."""
    live = _Live(feed, health, _Kept(around, clock), operations, clock)
    return [
        Route(LIVE, live.show),
        Route("/api/operations/{name}", protected(auth, live.operate), methods=["POST"]),
    ]


class _Live:
    def __init__(self, feed: Feed, health: Health, around: _Kept, operations: OperationRunner, clock: Clock) -> None:
        self._feed = feed
        self._health = health
        self._around = around
        self._operations = operations
        self._clock = clock

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        found = await self._health.ready()
        flow = self._feed.flow().as_json()
        behind = found.lag_seconds
        if behind is not None and behind > _IDLE_SECONDS:
            # The worker has not even read what it should have applied.
            flow["lag_seconds"] = round(behind, 2) if behind < float("inf") else None
        operation = self._operations.now()
        return reply(
            {
                "now": self._clock.now_us(),
                "ready": not found.reasons,
                "reasons": list(found.reasons),
                **flow,
                **await run_in_threadpool(self._around.told),
                "operation": operation.as_json() if operation else None,
            }
        )

    async def operate(self, request: Request) -> Response:
        name = request.path_params["name"]
        try:
            started = self._operations.start(name)
        except KeyError:
            raise Problem(404, "not_found", "There is no such operation.") from None
        if not started:
            raise Problem(409, "busy", "Another operation is running: wait for its end.")
        operation = self._operations.now()
        return reply({"operation": operation.as_json() if operation else None}, 202)


class _Kept:
    """What there is besides the flow, asked for once a second at most, however many look at it."""

    def __init__(self, around: Surroundings, clock: Clock) -> None:
        self._around = around
        self._clock = clock
        self._told: dict[str, Any] = {}
        self._until = float("-inf")

    def told(self) -> dict[str, Any]:
        if self._clock.monotonic() >= self._until:
            self._told = self._ask()
            self._until = self._clock.monotonic() + _KEPT_SECONDS
        return self._told

    def _ask(self) -> dict[str, Any]:
        # What cannot be told now leaves the rest as it is: the view is most wanted when something is wrong.
        count, letters = _or(self._around.dead_letters, (0, ()))
        return {
            "dead_letters": {
                "total": count,
                "letters": [_letter(one) for one in letters[:_MAX_LETTERS]],
            },
            "stale": _or(self._around.stale, None),
            "indexes": [
                {"name": name, "role": role, "documents": documents}
                for name, role, documents in _or(self._around.indexes, ())[:_MAX_INDEXES]
            ],
        }


def _letter(one: Letter) -> Mapping[str, str]:
    return {"id": one.id, "reason": one.reason, "dead_lettered_at": one.dead_lettered_at}


def _or(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except DynadexError:
        return otherwise
