"""The live view of a process that contains the worker: a feed of its changes, operations, and their routes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from starlette.routing import BaseRoute

from dynadex.dead_letters.port import DeadLetters
from dynadex.demo.live_feed import LiveFeed
from dynadex.demo.live_routes import LiveDeadLetter, LiveSources, live_routes
from dynadex.demo.operations import Operations
from dynadex.http.auth import Auth
from dynadex.http.health import Health, LagSource
from dynadex.index.lifecycle import physical_indexes
from dynadex.runtime import Runtime, connect

_LETTERS = 20


class LiveView:
    """The live view of one Sync. Pass ``feed`` to `follow`, and ``routes`` to `create_app`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.feed = LiveFeed(runtime.description.schema, runtime.clock)
        self._operations = Operations(lambda clock: connect(runtime.sync, runtime.settings, clock))

    def routes(self, lag_source: LagSource, auth: Auth) -> list[BaseRoute]:
        """Return the additional routes of the HTTP service."""
        runtime = self._runtime
        health = Health(runtime.sync.index, runtime.index, lag_source, runtime.settings.max_ready_lag_seconds)
        sources = LiveSources(lambda: _dead_letters(runtime.dead_letters), lambda: _indexes(runtime), lag_source.stale)
        return live_routes(self.feed, health, sources, self._operations, auth, runtime.clock)

    def close(self) -> None:
        """Stop the running operation, if there is one."""
        self._operations.stop()


def _dead_letters(dead_letters: DeadLetters) -> tuple[int, Sequence[LiveDeadLetter]]:
    backlog = dead_letters.backlog()
    first = islice(chain.from_iterable(dead_letters.batches()), _LETTERS) if backlog.count else ()
    return backlog.count, [
        LiveDeadLetter(stored.letter.id, stored.letter.reason, stored.letter.dead_lettered_at) for stored in first
    ]


def _indexes(runtime: Runtime) -> list[tuple[str, str, int]]:
    indexes = physical_indexes(runtime.index, runtime.sync.index)
    return [(index.name, index.role, runtime.index.count(index.name)) for index in indexes]
