"""`dynadex status` with and without a worker: it reports the state, and changes nothing."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dynadex import clients
from dynadex.aws.observation import NAMESPACE, SERVICE
from dynadex.demo.songs import lessons
from dynadex.runtime import connect
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.state_table import StateTable
from dynadex.testing import ManualClock
from tests.process.conftest import SceneMaker
from tests.process.following import worker
from tests.process.processes import Commands
from tests.process.scene import REFERENCE, Scene
from tests.waiting import wait_for

# For a status that does not depend on how fast the machine is.
ANY_LAG = ("--max-lag", "86400")
BROKEN = {"id": "broken", "title": {"not": "text"}}


def dead_lettering_worker(scene: Scene) -> AbstractContextManager[None]:
    return worker(scene.sync, replace(scene.settings, dead_letters=f"file:{scene.dead_letters}"))


def status(commands: Commands, scene: Scene, *options: str, code: int) -> str:
    running = commands.start("status", REFERENCE, *options, **scene.variables)
    assert running.wait() == code
    assert running.errors == []
    return "\n".join(running.output)


def status_json(commands: Commands, scene: Scene, *options: str, code: int) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(status(commands, scene, "--json", *options, code=code))
    return printed


def state(scene: Scene) -> StateTable:
    return StateTable(scene.dynamodb, f"{scene.name}-dynadex", scene.name)


def test_status_of_a_new_table_creates_nothing(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("status-of-nothing")
    scene.create_table()
    files = sorted(scene.directory.rglob("*.*"))
    text = status(commands, scene, code=1)
    assert f"! index         none: `dynadex refill {REFERENCE}` creates it" in text
    assert "  lag           unknown: no worker has reported" in text
    assert "  worker        no worker holds the lease" in text
    found = status_json(commands, scene, "--max-lag", "60", code=1)
    assert found["attention"] == ["index", "lag"]
    assert not state(scene).exists()
    assert not scene.opensearch.indices.exists_alias(name=scene.name)
    assert [file for file in sorted(scene.directory.rglob("*.*")) if "__pycache__" not in str(file)] == files


def test_status_reports_table_index_lag_worker_and_dead_letters(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("status")
    scene.create_table()
    connect(scene.sync, scene.settings).ensure_index()
    with dead_lettering_worker(scene):
        scene.load(lessons(50))
        scene.put(BROKEN)
        scene.await_count(50)
        wait_for(scene.dead_letters.exists, "a dead letter")
        moment = time.time()
        wait_until_passed(scene, moment)
        printed = status_json(commands, scene, *ANY_LAG, code=1)
        since = time.time() - moment
        text = status(commands, scene, code=1)

    assert printed["attention"] == ["dead letters"]
    [index] = printed["indexes"]
    assert {**index, "bytes": index["bytes"] > 0} == {
        "name": index["name"], "documents": 50, "bytes": True, "searched": True, "written": True, "building": False,
        "unfilled": False,
    }  # fmt: skip
    assert (printed["table"], printed["items"], printed["finished_shards"]) == ("status", 51, 0)
    [shard] = printed["open_shards"]
    assert scene.checkpoints() == {shard["id"]: shard["position"]}
    assert 2.0 <= printed["lag_seconds"] <= since
    assert printed["passed_at"] == shard["passed_at"]
    assert 0.0 <= printed["worker"]["silent_seconds"] <= since
    assert (printed["dead_letters"]["count"], printed["dead_letters"]["oldest_id"]) == (1, "broken")
    assert "title" in printed["dead_letters"]["oldest_reason"]
    assert printed["last"] == {"refill": None, "rebuild": None, "verify": None}

    lines = text.splitlines()
    assert [line[:15].strip() for line in lines if line[2] != " "] == [
        "table", "index", "lag", "shards", "worker", "! dead letters", "last refill", "last verify",
    ]  # fmt: skip
    assert f"{index['name']}  50 documents, " in text
    assert f"1 dead letter in file:{scene.dead_letters}: `dynadex redrive {REFERENCE}` retries them" in text


def wait_until_passed(scene: Scene, seconds: float) -> None:
    """Wait until the stream is applied up to this time (since the epoch)."""
    checkpoints = Checkpoints(state(scene), ManualClock())
    wait_for(lambda: (checkpoints.passed_us() or 0) / 1e6 >= seconds, "the stream applied up to now", every_seconds=0.2)
    assert (checkpoints.passed_us() or 0) / 1e6 <= time.time() - 2.0, "the passed time is later than a read can prove"


def test_exit_code_is_0_if_nothing_needs_attention(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("status-well")
    scene.create_table()
    scene.load(lessons(5))
    assert commands.start("refill", REFERENCE, **scene.variables).wait() == 0
    with dead_lettering_worker(scene):
        wait_for(lambda: Checkpoints(state(scene), ManualClock()).passed_us(), "a worker that has reported")
        text = status(commands, scene, *ANY_LAG, code=0)
        assert not [line for line in text.splitlines() if line.startswith("!")]
        assert "s ago): 5 items, 5 written" in text
    stopped = status_json(commands, scene, code=0)
    assert (stopped["worker"], stopped["attention"]) == (None, [])
    assert stopped["last"]["refill"]["items"] == 5
    Checkpoints(state(scene), ManualClock()).mark_stale("shard a was trimmed")
    assert "! stale         shard a was trimmed" in status(commands, scene, code=1)


def test_status_reports_the_metrics_of_functions_without_a_worker(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("status-functions")
    scene.create_table()
    assert commands.start("refill", REFERENCE, **scene.variables).wait() == 0
    nothing = "  function      last hour: no function of this Sync has reported"
    assert nothing in status(commands, scene, code=0).splitlines()
    now = datetime.now(UTC)
    report(scene, now, ChangesApplied=1000, DeadLettered=0, Failed=2, LagSeconds=1.25)
    report(scene, now - timedelta(minutes=10), ChangesApplied=234, DeadLettered=1, Failed=0, LagSeconds=7.5)
    report(scene, now - timedelta(minutes=70), ChangesApplied=9000, DeadLettered=90, Failed=90, LagSeconds=900.0)
    report(scene, now, "another", ChangesApplied=9000, DeadLettered=90, Failed=90, LagSeconds=900.0)
    lines = status(commands, scene, "--max-lag", "8", code=0).splitlines()
    assert "  lag           at most 7.5 s in the last hour" in lines
    assert "  function      last hour: 1,234 changes applied, lag at most 7.5 s, 1 dead-lettered, 2 failed" in lines
    printed = status_json(commands, scene, "--max-lag", "7", code=1)
    assert printed["attention"] == ["lag"]
    assert printed["function"] == {
        "applied": 1234,
        "dead_lettered": 1,
        "failed": 2,
        "lag_seconds": 7.5,
        "unknown": None,
    }


def report(scene: Scene, at: datetime, table: str = "", **metrics: float) -> None:
    """Metrics as a function prints them."""
    about = {"service": SERVICE, "table": table or scene.name, "index": scene.name}
    dimensions = [{"Name": name, "Value": value} for name, value in about.items()]
    data = [
        {"MetricName": name, "Dimensions": dimensions, "Timestamp": at, "Value": value}
        for name, value in metrics.items()
    ]
    clients.cloudwatch(scene.settings).put_metric_data(Namespace=NAMESPACE, MetricData=data)


def test_unavailable_backend_is_an_error(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("status-unavailable")
    scene.create_table()
    running = commands.start("status", REFERENCE, "--opensearch", "http://127.0.0.1:9", **scene.variables)
    assert running.wait() == 1
    assert running.output == []
    running.wait_for_line("dynadex: Cannot .*: the search cluster does not respond")
