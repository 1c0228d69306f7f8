"""The live view of a process that has the worker in it: the feed that watches the worker, operations, their routes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from starlette.routing import BaseRoute

from dynadex.dead_letters.port import DeadLetters
from dynadex.demo.live_feed import LiveFeed
from dynadex.demo.live_routes import Letter, Surroundings, live_routes
from dynadex.demo.operations import Operations
from dynadex.http.auth import Auth
from dynadex.http.health import Health, LagSource
from dynadex.index.lifecycle import physical_indexes
from dynadex.runtime import Runtime, connect

_LETTERS = 20


class LiveView:
    """``feed`` is for the worker (`follow`); ``routes`` for the service (`create_app`)."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.feed = LiveFeed(runtime.description.schema, runtime.clock)
        self._operations = Operations(lambda clock: connect(runtime.sync, runtime.settings, clock))

    def routes(self, lag_source: LagSource, auth: Auth) -> list[BaseRoute]:
        """What the service answers besides searches."""
        runtime = self._runtime
        health = Health(runtime.sync.index, runtime.index, lag_source, runtime.settings.max_ready_lag_seconds)
        around = Surroundings(lambda: _dead_letters(runtime.dead_letters), lambda: _indexes(runtime), lag_source.stale)
        return live_routes(self.feed, health, around, self._operations, auth, runtime.clock)

    def close(self) -> None:
        """End the operation that runs, if one does."""
        self._operations.stop()


def _dead_letters(dead_letters: DeadLetters) -> tuple[int, Sequence[Letter]]:
    backlog = dead_letters.backlog()
    first = islice(chain.from_iterable(dead_letters.batches()), _LETTERS) if backlog.count else ()
    return backlog.count, [Letter(one.letter.id, one.letter.reason, one.letter.dead_lettered_at) for one in first]


def _indexes(runtime: Runtime) -> list[tuple[str, str, int]]:
    found = physical_indexes(runtime.index, runtime.sync.index)
    return [(one.name, one.role, runtime.index.count(one.name)) for one in found]
