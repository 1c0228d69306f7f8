"""Readiness of the HTTP service: each reason against it, reported in time and without the text of a backend's error."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.health import CACHE_SECONDS, Health, LagSource
from dynadex.index.aliases import ensure_index
from dynadex.index.lifecycle import begin_building, mark_filled, promote_index
from dynadex.state.checkpoints import Checkpoint, Checkpoints
from dynadex.state.lag import StateLag
from dynadex.state.state_table import StateError
from dynadex.testing import InMemoryIndex, ManualClock
from dynadex.testing.clock import MICROSECONDS
from tests.unit.service import NOTHING_FOUND, Client, ScriptedIndex
from tests.waiting import wait_for_end

SECRET = "node-7.internal: shard failure [lessons-20261124054500]"
LIMIT = 0.5

sync = Sync(table="lessons", index="lessons", mappings={"properties": {}}, search=Search(title="Lessons"))


@dataclass
class ScriptedLag:
    """A lag source that returns or raises ``lag``."""

    lag: float | Exception | None = 0.42
    stale_reason: str | None = None
    calls: int = 0

    def lag_seconds(self) -> float | None:
        self.calls += 1
        if isinstance(self.lag, Exception):
            raise self.lag
        return self.lag

    def stale(self) -> str | None:
        return self.stale_reason


@dataclass
class Hanging:
    """An index or a lag source that does not respond until it is released."""

    released: threading.Event = field(default_factory=threading.Event)
    calls: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    def search(self, *_: Any) -> Any:
        self.calls += 1
        self.threads.append(threading.current_thread())
        self.released.wait()
        return {}

    def indexes_behind(self, _: str) -> list[str]:
        return []

    def lag_seconds(self) -> float | None:
        self.search()
        return None

    def stale(self) -> str | None:
        return None


@pytest.fixture
def index() -> ScriptedIndex:
    return ScriptedIndex()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    backend = Hanging()
    yield backend
    backend.released.set()
    wait_for_end(*backend.threads)


class Patience:
    """Takes the place of ``asyncio.wait`` in a health check: its timeout passes once only the hanging calls remain."""

    def __init__(self, hanging: Hanging) -> None:
        self.timeouts: list[float] = []
        self._hanging = hanging

    async def wait(self, futures: Sequence[asyncio.Future[Any]], timeout: float) -> None:
        self.timeouts.append(timeout)
        while not all(future.done() for future in futures) and self._others_run():
            await asyncio.sleep(0)

    def _others_run(self) -> bool:
        running = {thread for thread in threading.enumerate() if thread.name == "health"}
        return bool(running - set(self._hanging.threads))


@pytest.fixture
def patience(hanging: Hanging, monkeypatch: pytest.MonkeyPatch) -> Patience:
    made = Patience(hanging)
    monkeypatch.setattr("dynadex.http.health.asyncio", SimpleNamespace(**vars(asyncio) | {"wait": made.wait}))
    return made


def client(index: Any, lag_source: LagSource | None = None, max_lag_seconds: float = 60.0) -> Client:
    table: Any = None
    options = HttpOptions(lag_source=lag_source, max_ready_lag_seconds=max_lag_seconds)
    return Client(create_app(sync, index, table, KeySchema(("id",), ("S",)), options))


def ready(client: Client) -> tuple[int, Any]:
    response = client.get("/health/ready")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert "node-7" not in response.text
    return response.status_code, response.json()


def reasons(client: Client) -> list[str]:
    status, body = ready(client)
    assert (status, body["status"], set(body)) == (503, "not ready", {"status", "reasons"})
    return list(body["reasons"])


def test_liveness_calls_no_backend(index: ScriptedIndex) -> None:
    index.reply = SearchUnavailable("search index", "lessons", SECRET)
    lag_source = ScriptedLag(lag=StateError("read", "lessons-dynadex", SECRET))
    response = client(index, lag_source).get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert response.headers["cache-control"] == "no-store"
    assert (index.searches, lag_source.calls) == ([], 0)


@pytest.mark.parametrize(
    ("lag_source", "lag"),
    [(None, None), (ScriptedLag(None), None), (ScriptedLag(), 0.4), (ScriptedLag(0.0), 0.0), (ScriptedLag(60.0), 60.0)],
)
def test_readiness_reports_a_known_lag(index: ScriptedIndex, lag_source: ScriptedLag | None, lag: float | None) -> None:
    assert ready(client(index, lag_source)) == (200, {"status": "ready", "lag_seconds": lag})
    assert [alias for alias, _ in index.searches] == ["lessons"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (SearchUnavailable("search index", "lessons", SECRET), "the index cannot be reached"),
        (SearchError("search index", "lessons", SECRET, status=403), "the index cannot be reached"),
        (SearchError("search index", "lessons", SECRET, status=404), "the index is missing"),
        ({"_shards": {"failed": 1, "failures": [SECRET]}}, "some shards of the index cannot be searched"),
    ],
)
def test_missing_or_incomplete_index_is_not_ready(index: ScriptedIndex, reply: Any, reason: str) -> None:
    index.reply = reply
    assert reasons(client(index, ScriptedLag())) == [reason]


@pytest.mark.parametrize(
    ("lag_source", "reason"),
    [
        (ScriptedLag(60.1), "the index is 60.1 s behind its table, more than 60 s"),
        (ScriptedLag(math.inf), "no worker has caught up with the table yet"),
        (ScriptedLag(stale_reason=f"the stream of {SECRET} was trimmed"), "the index is declared stale"),
        (ScriptedLag(None, stale_reason=SECRET), "the index is declared stale"),
        (ScriptedLag(StateError("read the state table", "lessons-dynadex", SECRET)), "the lag cannot be read"),
    ],
)
def test_stale_or_lagging_index_is_not_ready(index: ScriptedIndex, lag_source: ScriptedLag, reason: str) -> None:
    assert reasons(client(index, lag_source)) == [reason]


def test_all_reasons_are_reported(index: ScriptedIndex) -> None:
    index.reply = SearchUnavailable("search index", "lessons", SECRET)
    assert reasons(client(index, ScriptedLag(7.25, stale_reason="lost"), max_lag_seconds=5.0)) == [
        "the index cannot be reached",
        "the index is declared stale",
        "the index is 7.2 s behind its table, more than 5 s",
    ]


def test_defect_in_a_health_check_is_not_ready(index: ScriptedIndex) -> None:
    status, body = ready(client(index, ScriptedLag(RuntimeError(SECRET))))
    assert (status, body["error"]["code"]) == (500, "internal")


def test_readiness_is_cached_for_a_second(index: ScriptedIndex) -> None:
    clock, lag_source = ManualClock(), ScriptedLag()
    health = Health("lessons", index, lag_source, clock=clock)
    assert all(asyncio.run(health.ready()).lag_seconds == 0.42 for _ in range(5))
    assert (len(index.searches), lag_source.calls) == (1, 1)
    lag_source.lag = math.inf
    assert not asyncio.run(health.ready()).reasons
    clock.advance(CACHE_SECONDS)
    assert asyncio.run(health.ready()).reasons
    assert asyncio.run(health.ready()).reasons
    assert (len(index.searches), lag_source.calls) == (2, 2)


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("index", "the index does not respond in time"),
        ("lag", "the lag could not be read in time"),
    ],
)
def test_hanging_backend_is_a_reason_after_the_timeout(
    index: ScriptedIndex, hanging: Hanging, patience: Patience, which: str, reason: str
) -> None:
    backends: tuple[Any, Any] = (hanging, ScriptedLag()) if which == "index" else (index, hanging)
    health = Health("lessons", *backends, clock=ManualClock(), timeout_seconds=LIMIT)
    assert asyncio.run(health.ready()).reasons == (reason,)
    assert patience.timeouts == [LIMIT, LIMIT]


def test_timeout_of_a_health_check_is_real(hanging: Hanging) -> None:
    assert asyncio.run(Health("lessons", hanging, timeout_seconds=LIMIT).ready()).reasons


def test_concurrent_health_checks_share_one_call(hanging: Hanging, patience: Patience) -> None:
    health = Health("lessons", hanging, clock=ManualClock(), timeout_seconds=LIMIT)

    async def crowd() -> set[tuple[str, ...]]:
        return {readiness.reasons for readiness in await asyncio.gather(*(health.ready() for _ in range(100)))}

    assert asyncio.run(crowd()) == {("the index does not respond in time",)}
    assert set(patience.timeouts) == {LIMIT}
    assert hanging.calls == 1


def test_hanging_backend_is_called_again_after_ten_seconds(hanging: Hanging, patience: Patience) -> None:
    clock = ManualClock()
    health = Health("lessons", hanging, clock=clock, timeout_seconds=LIMIT)

    def timeout_for_the_index() -> float:
        patience.timeouts.clear()
        assert asyncio.run(health.ready()).reasons
        return patience.timeouts[0]

    assert timeout_for_the_index() == LIMIT
    clock.advance(5.0)
    assert timeout_for_the_index() == 0, "a call that is already late is not waited for again"
    assert hanging.calls == 1
    clock.advance(5.0)
    assert timeout_for_the_index() == LIMIT
    assert hanging.calls == 2
    hanging.released.set()
    clock.advance(10.0)
    assert not asyncio.run(health.ready()).reasons


class State:
    """A state table in memory."""

    def __init__(self, *, exists: bool = True) -> None:
        self.is_created = exists
        self.entries: dict[str, dict[str, Any]] = {}

    def exists(self) -> bool:
        return self.is_created

    def get(self, name: str) -> dict[str, Any] | None:
        assert self.is_created
        return self.entries.get(name)

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        assert self.is_created
        return {name: item for name, item in self.entries.items() if name.startswith(prefix)}

    def put(self, name: str, values: dict[str, Any], *_: Any) -> bool:
        self.entries[name] = values
        return True

    def delete(self, name: str, *_: Any) -> bool:
        return self.entries.pop(name, None) is not None


@pytest.mark.parametrize(("has_worker", "lag"), [(True, math.inf), (False, None)])
@pytest.mark.parametrize("exists", [True, False])
def test_lag_is_infinite_until_the_first_checkpoint_of_a_worker(
    has_worker: bool, lag: float | None, exists: bool
) -> None:
    state: Any = State(exists=exists)
    lag_source = StateLag(state, ManualClock(), has_worker)
    assert (lag_source.lag_seconds(), lag_source.stale()) == (lag, None)


def test_lag_is_computed_from_checkpoints() -> None:
    state: Any = State(exists=False)
    clock = ManualClock()
    lag_source = StateLag(state, clock, has_worker=True)
    assert lag_source.lag_seconds() == math.inf
    state.is_created = True
    checkpoints = Checkpoints(state, clock)
    checkpoints.save("a", Checkpoint("1", passed_us=clock.now_us() - 3 * MICROSECONDS))
    checkpoints.save("b", Checkpoint("1", passed_us=clock.now_us() + MICROSECONDS))
    assert lag_source.lag_seconds() == 3.0
    clock.advance(4.0)
    assert lag_source.lag_seconds() == 7.0
    checkpoints.save("a", Checkpoint("1", passed_us=clock.now_us() + MICROSECONDS))
    clock.advance(-3.0)
    assert lag_source.lag_seconds() == 0.0, "the worker's clock may be ahead of the service's"


def test_index_stays_stale_while_a_refill_is_running(index: ScriptedIndex) -> None:
    state: Any = State()
    checkpoints = Checkpoints(state, ManualClock())
    service = client(index, StateLag(state, ManualClock()))
    checkpoints.mark_stale("a shard was trimmed")
    checkpoints.begin_recovery(1)
    assert reasons(service) == ["the index is declared stale"]


def test_index_created_for_a_table_with_items_is_not_ready_before_its_refill() -> None:
    cluster, clock = SearchableIndex(), ManualClock()
    name, _ = ensure_index(cluster, "lessons", {}, {}, clock, has_items=lambda: True)
    service = client(cluster)
    assert reasons(service) == ["the index awaits a backfill of the items older than it"]
    mark_filled(cluster, "lessons", [name])
    assert ready(client(cluster))[0] == 200


def test_unfilled_index_is_ignored_once_another_is_searched() -> None:
    cluster, clock = SearchableIndex(), ManualClock()
    ensure_index(cluster, "lessons", {}, {}, clock, has_items=lambda: True)
    clock.advance(1)
    promote_index(cluster, "lessons", begin_building(cluster, "lessons", {}, {}, "me", clock))
    assert ready(client(cluster))[0] == 200


class SearchableIndex(InMemoryIndex):
    """Finds nothing in any search."""

    def search(self, *_: Any) -> Any:
        return NOTHING_FOUND
