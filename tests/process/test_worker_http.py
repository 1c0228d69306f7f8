"""Metrics, health checks and JSON logs of a worker process."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from dynadex.demo.songs import lessons
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands
from tests.process.scene import REFERENCE
from tests.waiting import HANG_SECONDS, wait_for

SONGS = 40


def test_worker_serves_metrics_and_health_and_logs_json(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("observed")
    scene.create_table()
    worker = commands.start("run", REFERENCE, "--http", "0", "--log-format", "json", **scene.variables)
    url = worker.wait_for_line(r"metrics and health on (http://127\.0\.0\.1:\d+)")[1]
    worker.wait_for_line("reading the stream")
    scene.load(lessons(SONGS))
    scene.await_count(SONGS)

    def counted() -> bool:
        return f'dynadex_changes_total{{index="observed",outcome="applied"}} {SONGS}.0' in get(url, "/metrics")

    wait_for(counted, "every change counted")
    wait_for(lambda: 'dynadex_lag_seconds{index="observed"}' in get(url, "/metrics"), "a lag", every_seconds=0.2)
    assert json.loads(get(url, "/health/live")) == {"status": "live"}
    assert json.loads(get(url, "/health/ready"))["status"] == "ready"
    with pytest.raises(urllib.error.HTTPError, match="404") as rejected:
        get(url, "/api/search")
    rejected.value.close()
    assert worker.stop() == 0, str(worker)
    assert worker.output == []
    logged = [json.loads(line) for line in worker.errors if not line.startswith("dynadex: stopping")]
    assert all(record.keys() >= {"time", "level", "message"} for record in logged)
    assert logged[-1]["message"] == f"stopped: {SONGS} applied"


def test_invalid_or_occupied_port_is_an_error(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("no-port")
    scene.create_table()
    wrong = commands.start("run", REFERENCE, "--http", "many", **scene.variables)
    assert wrong.wait() == 1
    assert wrong.errors == [
        "dynadex: Cannot serve on many: it is not a valid port. For example: --http 9464, or --http 0.0.0.0:9464."
    ]
    taken = scene.settings.dynamodb_url or ""
    rejected = commands.start("run", REFERENCE, "--http", taken.rpartition(":")[2], **scene.variables)
    assert rejected.wait() == 1
    assert "Choose another port with --http [HOST:]PORT." in rejected.errors[0]


def get(url: str, path: str) -> str:
    with urllib.request.urlopen(url + path, timeout=HANG_SECONDS) as response:
        return str(response.read().decode())
