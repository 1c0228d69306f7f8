"""Whether the service says that it is fit to answer: every reason against it, soon, and in its own words."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.http.app import create_app
from dynadex.http.health import KEPT_SECONDS, Health, LagSource
from dynadex.index.aliases import ensure_index
from dynadex.index.lifecycle import begin_building, mark_filled, swap_read_alias
from dynadex.state.checkpoints import Checkpoint, Checkpoints
from dynadex.state.lag import StateLag
from dynadex.state.state_table import StateError
from dynadex.testing import InMemoryIndex, ManualClock
from dynadex.testing.clock import MICROSECONDS
from tests.unit.service import NOTHING_FOUND, Client, ScriptedIndex

SECRET = "node-7.internal: shard failure [lessons-20261124054500]"
LIMIT = 0.5

sync = Sync(table="lessons", index="lessons", mappings={"properties": {}}, search=Search(title="Lessons"))


@dataclass
class Told:
    """A freshness that says what it is told to, or raises it."""

    lag: float | Exception | None = 0.42
    why: str | None = None
    asked: int = 0

    def lag_seconds(self) -> float | None:
        self.asked += 1
        if isinstance(self.lag, Exception):
            raise self.lag
        return self.lag

    def stale(self) -> str | None:
        return self.why


@dataclass
class Hanging:
    """An index or a freshness that says nothing until it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    def search(self, *_: Any) -> Any:
        self.asked += 1
        self.let_go.wait()
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
    one = Hanging()
    yield one
    one.let_go.set()


def client(index: Any, freshness: LagSource | None = None, limit: float = 60.0) -> Client:
    nobody: Any = None
    return Client(create_app(sync, index, nobody, KeySchema(("id",), ("S",)), freshness, limit))


def ready(client: Client) -> tuple[int, Any]:
    response = client.get("/health/ready")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert "node-7" not in response.text
    return response.status_code, response.json()


def reasons(client: Client) -> list[str]:
    status, told = ready(client)
    assert (status, told["status"], set(told)) == (503, "not ready", {"status", "reasons"})
    return list(told["reasons"])


def test_live_asks_nobody(index: ScriptedIndex) -> None:
    index.reply = SearchUnavailable("search index", "lessons", SECRET)
    freshness = Told(lag=StateError("read", "lessons-dynadex", SECRET))
    response = client(index, freshness).get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert response.headers["cache-control"] == "no-store"
    assert (index.asked, freshness.asked) == ([], 0)


@pytest.mark.parametrize(
    ("freshness", "lag"),
    [(None, None), (Told(None), None), (Told(), 0.4), (Told(0.0), 0.0), (Told(60.0), 60.0)],
)
def test_ready_tells_the_lag_where_it_is_known(index: ScriptedIndex, freshness: Told | None, lag: float | None) -> None:
    assert ready(client(index, freshness)) == (200, {"status": "ready", "lag_seconds": lag})
    assert [alias for alias, _ in index.asked] == ["lessons"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (SearchUnavailable("search index", "lessons", SECRET), "the index cannot be reached"),
        (SearchError("search index", "lessons", SECRET, status=403), "the index cannot be reached"),
        (SearchError("search index", "lessons", SECRET, status=404), "the index is missing"),
        ({"_shards": {"failed": 1, "failures": [SECRET]}}, "a part of the index cannot be searched"),
    ],
)
def test_not_ready_without_a_whole_index(index: ScriptedIndex, reply: Any, reason: str) -> None:
    index.reply = reply
    assert reasons(client(index, Told())) == [reason]


@pytest.mark.parametrize(
    ("freshness", "reason"),
    [
        (Told(60.1), "the index is 60.1 s behind its table, more than 60 s"),
        (Told(math.inf), "no worker has caught up with the table yet"),
        (Told(why=f"the stream of {SECRET} was trimmed"), "the index is declared stale"),
        (Told(None, why=SECRET), "the index is declared stale"),
        (Told(StateError("read the state table", "lessons-dynadex", SECRET)), "how fresh the index is cannot be told"),
    ],
)
def test_not_ready_with_an_index_that_is_not_fresh(index: ScriptedIndex, freshness: Told, reason: str) -> None:
    assert reasons(client(index, freshness)) == [reason]


def test_every_reason_is_told(index: ScriptedIndex) -> None:
    index.reply = SearchUnavailable("search index", "lessons", SECRET)
    assert reasons(client(index, Told(7.25, why="lost"), limit=5.0)) == [
        "the index cannot be reached",
        "the index is declared stale",
        "the index is 7.2 s behind its table, more than 5 s",
    ]


def test_a_defect_is_no_readiness(index: ScriptedIndex) -> None:
    status, told = ready(client(index, Told(RuntimeError(SECRET))))
    assert (status, told["error"]["code"]) == (500, "internal")


def test_an_answer_is_kept_for_a_moment(index: ScriptedIndex) -> None:
    clock, freshness = ManualClock(), Told()
    health = Health("lessons", index, freshness, clock=clock)
    assert all(asyncio.run(health.ready()).lag_seconds == 0.42 for _ in range(5))
    assert (len(index.asked), freshness.asked) == (1, 1)
    freshness.lag = math.inf
    assert not asyncio.run(health.ready()).reasons
    clock.advance(KEPT_SECONDS)
    assert asyncio.run(health.ready()).reasons
    assert asyncio.run(health.ready()).reasons
    assert (len(index.asked), freshness.asked) == (2, 2)


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("index", "the index does not answer in time"),
        ("freshness", "how fresh the index is was not told in time"),
    ],
)
def test_a_backend_that_hangs_is_a_reason_soon(index: ScriptedIndex, hanging: Hanging, which: str, reason: str) -> None:
    backends: tuple[Any, Any] = (hanging, Told()) if which == "index" else (index, hanging)
    health = Health("lessons", *backends, answer_seconds=LIMIT)
    began = time.monotonic()
    assert asyncio.run(health.ready()).reasons == (reason,)
    assert LIMIT <= time.monotonic() - began < LIMIT + 1.0


def test_a_crowd_before_a_backend_that_hangs_is_one_question(hanging: Hanging) -> None:
    health = Health("lessons", hanging, answer_seconds=LIMIT)

    async def crowd() -> set[tuple[str, ...]]:
        return {one.reasons for one in await asyncio.gather(*(health.ready() for _ in range(100)))}

    began = time.monotonic()
    assert asyncio.run(crowd()) == {("the index does not answer in time",)}
    assert time.monotonic() - began < LIMIT + 1.0
    assert hanging.asked == 1


def test_what_hangs_is_asked_again_at_length(hanging: Hanging) -> None:
    clock = ManualClock()
    health = Health("lessons", hanging, clock=clock, answer_seconds=LIMIT)

    def seconds() -> float:
        began = time.monotonic()
        assert asyncio.run(health.ready()).reasons
        return time.monotonic() - began

    seconds()
    clock.advance(5.0)
    assert seconds() < LIMIT, "who hangs already is late already"
    assert hanging.asked == 1
    clock.advance(5.0)
    seconds()
    assert hanging.asked == 2
    hanging.let_go.set()
    clock.advance(10.0)
    assert not asyncio.run(health.ready()).reasons


class State:
    """A state table in memory."""

    def __init__(self, *, exists: bool = True) -> None:
        self.is_there = exists
        self.kept: dict[str, dict[str, Any]] = {}

    def exists(self) -> bool:
        return self.is_there

    def get(self, what: str) -> dict[str, Any] | None:
        assert self.is_there
        return self.kept.get(what)

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        assert self.is_there
        return {what: item for what, item in self.kept.items() if what.startswith(prefix)}

    def put(self, what: str, values: dict[str, Any], *_: Any) -> bool:
        self.kept[what] = values
        return True

    def delete(self, what: str, *_: Any) -> bool:
        return self.kept.pop(what, None) is not None


@pytest.mark.parametrize(("has_worker", "lag"), [(True, math.inf), (False, None)])
@pytest.mark.parametrize("exists", [True, False])
def test_before_a_worker_has_said_anything(has_worker: bool, lag: float | None, exists: bool) -> None:
    state: Any = State(exists=exists)
    freshness = StateLag(state, ManualClock(), has_worker)
    assert (freshness.lag_seconds(), freshness.stale()) == (lag, None)


def test_freshness_is_what_the_worker_noted() -> None:
    state: Any = State(exists=False)
    clock = ManualClock()
    freshness = StateLag(state, clock, has_worker=True)
    assert freshness.lag_seconds() == math.inf
    state.is_there = True
    checkpoints = Checkpoints(state, clock)
    checkpoints.save("a", Checkpoint("1", passed_us=clock.now_us() - 3 * MICROSECONDS))
    checkpoints.save("b", Checkpoint("1", passed_us=clock.now_us() + MICROSECONDS))
    assert freshness.lag_seconds() == 3.0
    clock.advance(4.0)
    assert freshness.lag_seconds() == 7.0
    checkpoints.save("a", Checkpoint("1", passed_us=clock.now_us() + MICROSECONDS))
    clock.advance(-3.0)
    assert freshness.lag_seconds() == 0.0, "the worker's clock may be ahead of ours"


def test_a_refill_under_way_has_not_mended_a_stale_index(index: ScriptedIndex) -> None:
    state: Any = State()
    checkpoints = Checkpoints(state, ManualClock())
    service = client(index, StateLag(state, ManualClock()))
    checkpoints.mark_stale("a shard was trimmed")
    checkpoints.begin_recovery(1)
    assert reasons(service) == ["the index is declared stale"]


def test_an_index_that_was_made_for_a_table_with_items_awaits_its_refill() -> None:
    cluster, clock = SearchableIndex(), ManualClock()
    name, _ = ensure_index(cluster, "lessons", {}, {}, clock, has_items=lambda: True)
    service = client(cluster)
    assert reasons(service) == ["the index awaits the refill that brings the items older than it"]
    mark_filled(cluster, "lessons", [name])
    assert ready(client(cluster))[0] == 200


def test_an_index_that_awaits_its_refill_does_not_matter_once_another_is_searched() -> None:
    cluster, clock = SearchableIndex(), ManualClock()
    ensure_index(cluster, "lessons", {}, {}, clock, has_items=lambda: True)
    clock.advance(1)
    swap_read_alias(cluster, "lessons", begin_building(cluster, "lessons", {}, {}, "me", clock))
    assert ready(client(cluster))[0] == 200


class SearchableIndex(InMemoryIndex):
    """Answers every search with nothing found."""

    def search(self, *_: Any) -> Any:
        return NOTHING_FOUND
