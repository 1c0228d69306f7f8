"""The routes of the live view: responses in normal operation and during failures, and authorization."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import ASGIApp

from dynadex.demo.live_routes import LiveDeadLetter, LiveSources, live_routes
from dynadex.errors import SearchError
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.health import Health
from dynadex.source.table import Table
from dynadex.sync import Sync
from dynadex.testing import InMemoryTable, ManualClock
from tests.unit.service import AUTH, SECRET, WRITER, Client, ScriptedIndex, error_of


class Values:
    def __init__(self, **values: Any) -> None:
        self.values = values

    def as_json(self) -> dict[str, Any]:
        return self.values


class Stage:
    """The sources of the routes, with the values that they return."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lag: float | None = 0.4
        self.running: str | None = None
        self.dead_lettered: tuple[int, list[LiveDeadLetter]] = (0, [])
        self.indexes = [("lessons-20261124054500", "searched", 3)]
        self.index_error: Exception | None = None
        self.index_reads = 0

    def flow(self) -> Values:
        return Values(lag_seconds=0.25, applied_total=7, per_second=[0, 7], lag_series=[0, 0.25], changes=[])

    def start(self, name: str) -> bool:
        if name not in ("verify", "rebuild"):
            raise KeyError(name)
        if self.running:
            return False
        self.running = name
        return True

    def latest(self) -> Values | None:
        return Values(name=self.running, state="running") if self.running else None

    def lag_seconds(self) -> float | None:
        return self.lag

    def stale(self) -> str | None:
        return None

    def read_indexes(self) -> list[tuple[str, str, int]]:
        self.index_reads += 1
        if self.index_error:
            raise self.index_error
        return self.indexes


def app(stage: Stage) -> ASGIApp:
    sync, index, memory = Sync(table="lessons", index="lessons"), ScriptedIndex(), InMemoryTable("lessons")
    health = Health("lessons", index, stage, clock=stage.clock)
    sources = LiveSources(lambda: stage.dead_lettered, stage.read_indexes, stage.stale)
    routes = live_routes(stage, health, sources, stage, AUTH, stage.clock)
    table = Table(memory, "lessons")  # type: ignore[arg-type]
    return create_app(sync, index, table, memory.schema, HttpOptions(auth=AUTH, extra_routes=routes))


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def client(stage: Stage) -> Client:
    return Client(app(stage))


def test_config_reports_the_live_view(client: Client) -> None:
    assert client.get("/api/config").json()["live"] is True


def test_live_view_contains_the_flow_and_the_other_sources(client: Client, stage: Stage) -> None:
    stage.dead_lettered = (1, [LiveDeadLetter("rakes", "no number", "2026-11-24T05:45:00Z")])
    live = client.get("/api/live").json()
    assert live["ready"] is True
    assert live["reasons"] == []
    assert live["applied_total"] == 7
    assert live["lag_seconds"] == 0.25
    assert live["dead_letters"] == {
        "total": 1, "letters": [{"id": "rakes", "reason": "no number", "dead_lettered_at": "2026-11-24T05:45:00Z"}],
    }  # fmt: skip
    assert live["indexes"] == [{"name": "lessons-20261124054500", "role": "searched", "documents": 3}]
    assert live["stale"] is None
    assert live["operation"] is None


def test_lag_includes_changes_that_the_worker_has_not_read(client: Client, stage: Stage) -> None:
    stage.lag = 90.0
    live = client.get("/api/live").json()
    assert live["lag_seconds"] == 90.0
    assert live["ready"] is False


def test_failing_source_leaves_the_others(client: Client, stage: Stage) -> None:
    stage.index_error = SearchError("count index", "lessons", SECRET)
    response = client.get("/api/live")
    assert response.status_code == 200
    assert response.json()["indexes"] == []
    assert response.json()["applied_total"] == 7
    assert SECRET not in response.text


def test_cluster_is_read_once_per_second_regardless_of_the_viewers(client: Client, stage: Stage) -> None:
    for _ in range(5):
        client.get("/api/live")
    assert stage.index_reads == 1
    stage.clock.sleep(1)
    client.get("/api/live")
    assert stage.index_reads == 2


def test_number_of_listed_dead_letters_is_bounded(client: Client, stage: Stage) -> None:
    stage.dead_lettered = (5000, [LiveDeadLetter(str(number), "rejected", "") for number in range(5000)])
    live = client.get("/api/live").json()["dead_letters"]
    assert live["total"] == 5000
    assert len(live["letters"]) == 20


def test_second_operation_is_rejected_while_one_is_running(client: Client) -> None:
    response = client.request("POST", "/api/operations/verify", headers=WRITER)
    assert response.status_code == 202
    assert response.json() == {"operation": {"name": "verify", "state": "running"}}
    assert error_of(client.request("POST", "/api/operations/rebuild", headers=WRITER)) == (409, "busy")
    assert client.get("/api/live").json()["operation"]["name"] == "verify"


def test_operation_requires_permission_to_write(client: Client, stage: Stage) -> None:
    assert error_of(client.request("POST", "/api/operations/verify")) == (401, "unauthenticated")
    headers = {"Authorization": f"Bearer {AUTH.token(3600, 'read')}"}
    assert error_of(client.request("POST", "/api/operations/verify", headers=headers)) == (403, "forbidden")
    foreign = {**WRITER, "Origin": "https://elsewhere.test"}
    assert client.request("POST", "/api/operations/verify", headers=foreign).status_code == 403
    assert stage.running is None


def test_unknown_operation_is_not_found(client: Client) -> None:
    assert error_of(client.request("POST", "/api/operations/drop", headers=WRITER)) == (404, "not_found")
    assert error_of(client.get("/api/operations/verify")) == (404, "not_found")
