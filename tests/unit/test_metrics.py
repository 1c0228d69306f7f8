"""What a worker tells Prometheus, and what is built on it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest
from typer.main import get_command

from dynadex.cli import app
from dynadex.dead_letters.port import Backlog
from dynadex.errors import SourceUnavailable
from dynadex.index.results import ApplyResult
from dynadex.settings import RuntimeSettings, variables
from dynadex.testing import ManualClock
from dynadex.worker.metrics import WorkerMetrics

ROOT = Path(__file__).parents[2]
_NAME = re.compile(r"\bdynadex_[a-z_]+\b")


class Told:
    """A freshness and dead letters that say what they are told to, or fail."""

    def __init__(self) -> None:
        self.lag: float | Exception | None = 2.5
        self.dead_lettered = 3
        self.asked = 0

    def lag_seconds(self) -> float | None:
        self.asked += 1
        if isinstance(self.lag, Exception):
            raise self.lag
        return self.lag

    def stale(self) -> str | None:
        return "a shard was trimmed"

    def backlog(self) -> Backlog:
        return Backlog(self.dead_lettered)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def metrics(told: Any, clock: ManualClock) -> WorkerMetrics:
    made = WorkerMetrics("lessons")
    made.look_up("lessons", told, told, clock)
    return made


def samples(metrics: WorkerMetrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_changes_are_counted_by_what_became_of_them(metrics: WorkerMetrics) -> None:
    metrics.done(
        [], ApplyResult(applied=5, superseded=1, reconciled=2, dead_lettered=1, not_indexed=4, failed={"7": "away"})
    )
    metrics.done([], ApplyResult(applied=1))
    found = samples(metrics)
    assert {
        outcome: found[f'dynadex_changes_total{{index="lessons",outcome="{outcome}"}}']
        for outcome in ("applied", "superseded", "reconciled", "dead_lettered", "not_indexed")
    } == {"applied": 6, "superseded": 1, "reconciled": 2, "dead_lettered": 1, "not_indexed": 4}
    assert found['dynadex_failed_records_total{index="lessons"}'] == 1


def test_bulk_requests_are_measured(metrics: WorkerMetrics) -> None:
    metrics.on_bulk(0.3, 0)
    metrics.on_bulk(0.02, 12)
    found = samples(metrics)
    assert found['dynadex_bulk_seconds_count{index="lessons"}'] == 2
    assert found['dynadex_bulk_seconds_bucket{index="lessons",le="0.025"}'] == 1
    assert found['dynadex_bulk_retries_total{index="lessons"}'] == 12


def test_lag_dead_letters_and_staleness_are_looked_up(metrics: WorkerMetrics) -> None:
    found = samples(metrics)
    assert found['dynadex_lag_seconds{index="lessons"}'] == 2.5
    assert found['dynadex_dead_letters{index="lessons"}'] == 3
    assert found['dynadex_stale{index="lessons"}'] == 1
    assert any(name.startswith("dynadex_worker_info") for name in found)


def test_they_are_not_looked_up_at_every_scrape(metrics: WorkerMetrics, told: Told, clock: ManualClock) -> None:
    for _ in range(5):
        samples(metrics)
    assert told.asked == 1
    clock.advance(6)
    told.dead_lettered = 0
    assert samples(metrics)['dynadex_dead_letters{index="lessons"}'] == 0


@pytest.mark.parametrize("lag", [None, math.inf, SourceUnavailable("read", "lessons-dynadex", "away")])
def test_what_cannot_be_told_is_left_out(metrics: WorkerMetrics, told: Told, lag: Any) -> None:
    told.lag = lag
    found = samples(metrics)
    assert not [name for name in found if name.startswith("dynadex_lag_seconds")]
    assert found['dynadex_dead_letters{index="lessons"}'] == 3


def exported(metrics: WorkerMetrics) -> set[str]:
    """Every name that a query may use."""
    metrics.on_bulk(0.1, 0)
    return {name.split("{")[0] for name in samples(metrics) if not name.split("{")[0].endswith("_created")}


def families(metrics: WorkerMetrics) -> set[str]:
    """Every name as the documents say it."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported(metrics)}


def test_every_query_of_the_dashboard_asks_for_what_is_exported(metrics: WorkerMetrics) -> None:
    board = json.loads((ROOT / "ops/grafana/dynadex.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    asked = {name for query in queries for name in _NAME.findall(query)}
    assert asked <= exported(metrics)
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} == families(metrics), "each is on a panel"


def test_every_metric_is_documented_and_no_other(metrics: WorkerMetrics) -> None:
    text = (ROOT / "docs/how-to/operate.md").read_text()
    rows = re.findall(r"^\| `(dynadex_[a-z_]+)`", text, re.MULTILINE)
    assert set(rows) >= families(metrics)
    assert set(_NAME.findall(text)) <= families(metrics)


def test_the_kubernetes_example_names_what_there_is() -> None:
    deployment, budget = yaml.safe_load_all((ROOT / "ops/kubernetes.yaml").read_text())
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")}
    assert probes == {"/health/live", "/health/ready"}
    known = {name for field in RuntimeSettings.__dataclass_fields__ for name in variables(field)}
    assert {one["name"] for one in container["env"]} <= known
    options = {option for one in get_command(app).commands["run"].params for option in one.opts}  # type: ignore[attr-defined]
    assert {argument for argument in container["args"] if argument.startswith("--")} <= options
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]


def test_the_image_runs_the_command_that_there_is() -> None:
    text = (ROOT / "ops/Dockerfile").read_text()
    [arguments] = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    options = {option for one in get_command(app).commands["run"].params for option in one.opts}  # type: ignore[attr-defined]
    assert {one for one in json.loads(arguments) if one.startswith("--")} <= options
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[0]) == ["dynadex", "run"]
