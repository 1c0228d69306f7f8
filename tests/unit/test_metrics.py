"""Metrics of a worker, and the dashboard, documents and deployment examples that depend on them."""

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


class Backends:
    """Lag, staleness and dead letters with given values, or an error."""

    def __init__(self) -> None:
        self.lag: float | Exception | None = 2.5
        self.dead_lettered = 3
        self.lag_reads = 0

    def lag_seconds(self) -> float | None:
        self.lag_reads += 1
        if isinstance(self.lag, Exception):
            raise self.lag
        return self.lag

    def stale(self) -> str | None:
        return "a shard was trimmed"

    def backlog(self) -> Backlog:
        return Backlog(self.dead_lettered)


@pytest.fixture
def backends() -> Backends:
    return Backends()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def metrics(backends: Any, clock: ManualClock) -> WorkerMetrics:
    metrics = WorkerMetrics("lessons")
    metrics.add_gauges(backends, backends, clock)
    return metrics


def samples(metrics: WorkerMetrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_changes_are_counted_by_outcome(metrics: WorkerMetrics) -> None:
    metrics.on_result(
        [],
        ApplyResult(applied=5, superseded=1, reconciled=2, dead_lettered=1, not_indexed=4, failed={"7": "unavailable"}),
    )
    metrics.on_result([], ApplyResult(applied=1))
    values = samples(metrics)
    assert {
        outcome: values[f'dynadex_changes_total{{index="lessons",outcome="{outcome}"}}']
        for outcome in ("applied", "superseded", "reconciled", "dead_lettered", "not_indexed")
    } == {"applied": 6, "superseded": 1, "reconciled": 2, "dead_lettered": 1, "not_indexed": 4}
    assert values['dynadex_failed_records_total{index="lessons"}'] == 1


def test_bulk_requests_are_measured(metrics: WorkerMetrics) -> None:
    metrics.on_bulk(0.3, 0)
    metrics.on_bulk(0.02, 12)
    values = samples(metrics)
    assert values['dynadex_bulk_seconds_count{index="lessons"}'] == 2
    assert values['dynadex_bulk_seconds_bucket{index="lessons",le="0.025"}'] == 1
    assert values['dynadex_bulk_retries_total{index="lessons"}'] == 12


def test_lag_dead_letters_and_staleness_are_exported(metrics: WorkerMetrics) -> None:
    values = samples(metrics)
    assert values['dynadex_lag_seconds{index="lessons"}'] == 2.5
    assert values['dynadex_dead_letters{index="lessons"}'] == 3
    assert values['dynadex_stale{index="lessons"}'] == 1
    assert any(name.startswith("dynadex_worker_info") for name in values)


def test_gauges_are_cached_between_scrapes(metrics: WorkerMetrics, backends: Backends, clock: ManualClock) -> None:
    for _ in range(5):
        samples(metrics)
    assert backends.lag_reads == 1
    clock.advance(6)
    backends.dead_lettered = 0
    assert samples(metrics)['dynadex_dead_letters{index="lessons"}'] == 0


@pytest.mark.parametrize("lag", [None, math.inf, SourceUnavailable("read", "lessons-dynadex", "unavailable")])
def test_unknown_lag_is_left_out(metrics: WorkerMetrics, backends: Backends, lag: Any) -> None:
    backends.lag = lag
    values = samples(metrics)
    assert not [name for name in values if name.startswith("dynadex_lag_seconds")]
    assert values['dynadex_dead_letters{index="lessons"}'] == 3


def exported(metrics: WorkerMetrics) -> set[str]:
    """Every name that a query may use."""
    metrics.on_bulk(0.1, 0)
    return {name.split("{")[0] for name in samples(metrics) if not name.split("{")[0].endswith("_created")}


def families(metrics: WorkerMetrics) -> set[str]:
    """Every name as the documents have it."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported(metrics)}


def test_dashboard_shows_every_metric_and_no_other(metrics: WorkerMetrics) -> None:
    board = json.loads((ROOT / "ops/grafana/dynadex.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    queries += [variable["query"]["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    queried = {name for query in queries for name in _NAME.findall(query)}
    assert queried <= exported(metrics)
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in queried} == families(metrics), "each is on a panel"


def test_documents_list_every_metric_and_no_other(metrics: WorkerMetrics) -> None:
    text = (ROOT / "docs/how-to/operate.md").read_text()
    rows = re.findall(r"^\| `(dynadex_[a-z_]+)`", text, re.MULTILINE)
    assert set(rows) >= families(metrics)
    assert set(_NAME.findall(text)) <= families(metrics)


def test_kubernetes_example_uses_existing_paths_settings_and_options() -> None:
    deployment, budget = yaml.safe_load_all((ROOT / "ops/kubernetes.yaml").read_text())
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    probes = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")}
    assert probes == {"/health/live", "/health/ready"}
    known = {name for field in RuntimeSettings.__dataclass_fields__ for name in variables(field)}
    assert {variable["name"] for variable in container["env"]} <= known
    options = {option for parameter in get_command(app).commands["run"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert {argument for argument in container["args"] if argument.startswith("--")} <= options
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]


def test_image_runs_an_existing_command() -> None:
    text = (ROOT / "ops/Dockerfile").read_text()
    [arguments] = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    options = {option for parameter in get_command(app).commands["run"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert {argument for argument in json.loads(arguments) if argument.startswith("--")} <= options
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[0]) == ["dynadex", "run"]
