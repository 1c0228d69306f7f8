"""The routes of the live view: what they answer while all is well, while something is wrong, and who may operate."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import ASGIApp

from dynadex.demo.live_routes import Letter, Surroundings, live_routes
from dynadex.errors import SearchError
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.health import Health
from dynadex.source.table import Table
from dynadex.sync import Sync
from dynadex.testing import InMemoryTable, ManualClock
from tests.unit.service import AUTH, SECRET, WRITER, Client, ScriptedIndex, error_of


class Told:
    def __init__(self, **told: Any) -> None:
        self.told = told

    def as_json(self) -> dict[str, Any]:
        return self.told


class Stage:
    """Everything that the routes ask, and what it says."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lag: float | None = 0.4
        self.running: str | None = None
        self.dead_lettered: tuple[int, list[Letter]] = (0, [])
        self.indexes = [("lessons-20261124054500", "searched", 3)]
        self.index_error: Exception | None = None
        self.asked = 0

    def flow(self) -> Told:
        return Told(lag_seconds=0.25, applied_total=7, per_second=[0, 7], lag_series=[0, 0.25], changes=[])

    def start(self, name: str) -> bool:
        if name not in ("verify", "rebuild"):
            raise KeyError(name)
        if self.running:
            return False
        self.running = name
        return True

    def now(self) -> Told | None:
        return Told(name=self.running, state="running") if self.running else None

    def lag_seconds(self) -> float | None:
        return self.lag

    def stale(self) -> str | None:
        return None

    def told_indexes(self) -> list[tuple[str, str, int]]:
        self.asked += 1
        if self.index_error:
            raise self.index_error
        return self.indexes


def app(stage: Stage) -> ASGIApp:
    sync, index, memory = Sync(table="lessons", index="lessons"), ScriptedIndex(), InMemoryTable("lessons")
    health = Health("lessons", index, stage, clock=stage.clock)
    around = Surroundings(lambda: stage.dead_lettered, stage.told_indexes, stage.stale)
    routes = live_routes(stage, health, around, stage, AUTH, stage.clock)
    table = Table(memory, "lessons")  # type: ignore[arg-type]
    return create_app(sync, index, table, memory.schema, HttpOptions(auth=AUTH, extra_routes=routes))


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def client(stage: Stage) -> Client:
    return Client(app(stage))


def test_the_page_learns_that_there_is_a_live_view(client: Client) -> None:
    assert client.get("/api/config").json()["live"] is True


def test_it_tells_the_flow_and_what_is_around_it(client: Client, stage: Stage) -> None:
    stage.dead_lettered = (1, [Letter("rakes", "no number", "2026-11-24T05:45:00Z")])
    told = client.get("/api/live").json()
    assert told["ready"] is True
    assert told["reasons"] == []
    assert told["applied_total"] == 7
    assert told["lag_seconds"] == 0.25
    assert told["dead_letters"] == {
        "total": 1, "letters": [{"id": "rakes", "reason": "no number", "dead_lettered_at": "2026-11-24T05:45:00Z"}],
    }  # fmt: skip
    assert told["indexes"] == [{"name": "lessons-20261124054500", "role": "searched", "documents": 3}]
    assert told["stale"] is None
    assert told["operation"] is None


def test_a_worker_that_does_not_even_read_is_behind(client: Client, stage: Stage) -> None:
    stage.lag = 90.0
    told = client.get("/api/live").json()
    assert told["lag_seconds"] == 90.0
    assert told["ready"] is False


def test_what_cannot_be_told_now_leaves_the_rest(client: Client, stage: Stage) -> None:
    stage.index_error = SearchError("count index", "lessons", SECRET)
    response = client.get("/api/live")
    assert response.status_code == 200
    assert response.json()["indexes"] == []
    assert response.json()["applied_total"] == 7
    assert SECRET not in response.text


def test_however_many_look_the_cluster_is_asked_once_a_second(client: Client, stage: Stage) -> None:
    for _ in range(5):
        client.get("/api/live")
    assert stage.asked == 1
    stage.clock.sleep(1)
    client.get("/api/live")
    assert stage.asked == 2


def test_it_stays_small_however_much_is_dead_lettered(client: Client, stage: Stage) -> None:
    stage.dead_lettered = (5000, [Letter(str(number), "refused", "") for number in range(5000)])
    told = client.get("/api/live").json()["dead_letters"]
    assert told["total"] == 5000
    assert len(told["letters"]) == 20


def test_operations_are_started_one_at_a_time(client: Client) -> None:
    response = client.request("POST", "/api/operations/verify", headers=WRITER)
    assert response.status_code == 202
    assert response.json() == {"operation": {"name": "verify", "state": "running"}}
    assert error_of(client.request("POST", "/api/operations/rebuild", headers=WRITER)) == (409, "busy")
    assert client.get("/api/live").json()["operation"]["name"] == "verify"


def test_operations_are_for_those_who_may_write(client: Client, stage: Stage) -> None:
    assert error_of(client.request("POST", "/api/operations/verify")) == (401, "unauthenticated")
    headers = {"Authorization": f"Bearer {AUTH.token(3600, 'read')}"}
    assert error_of(client.request("POST", "/api/operations/verify", headers=headers)) == (403, "forbidden")
    foreign = {**WRITER, "Origin": "https://elsewhere.test"}
    assert client.request("POST", "/api/operations/verify", headers=foreign).status_code == 403
    assert stage.running is None


def test_there_are_no_other_operations(client: Client) -> None:
    assert error_of(client.request("POST", "/api/operations/drop", headers=WRITER)) == (404, "not_found")
    assert error_of(client.get("/api/operations/verify")) == (404, "not_found")
