"""Readiness of the service with real backends: it is lost and regained with the worker."""

from __future__ import annotations

from typing import Any

import pytest

from dynadex.demo.songs import lessons
from dynadex.http.app import HttpOptions, create_app
from dynadex.local.stack import LocalStack
from dynadex.runtime import Runtime, connect
from dynadex.state.lag import StateLag
from tests.process.conftest import SceneMaker
from tests.process.following import worker
from tests.process.relay import relay_to
from tests.unit.service import Client
from tests.waiting import wait_for

# Longer than the interval at which an idle worker reports its progress.
LIMIT_SECONDS = 12.0
MISSING = ["the index is missing", "no worker has caught up with the table yet"]
BEHIND = r"s behind its table, more than 12 s"


def service(runtime: Runtime, *, has_worker: bool = True) -> Client:
    lag_source = StateLag(runtime.state(), runtime.clock, has_worker)
    options = HttpOptions(lag_source=lag_source, max_ready_lag_seconds=LIMIT_SECONDS)
    return Client(create_app(runtime.sync, runtime.index, runtime.table, runtime.description.schema, options))


def ready(client: Client) -> tuple[int, Any]:
    response = client.get("/health/ready")
    return response.status_code, response.json()


def await_ready(client: Client) -> float | None:
    """Wait until the service is ready, and return the lag."""
    body = wait_for(lambda: (answer := ready(client))[0] == 200 and answer[1], "ready", every_seconds=0.2)
    lag: float | None = body["lag_seconds"]
    return lag


def await_reason(client: Client, reason: str) -> None:
    def is_reported() -> bool:
        status, answer = ready(client)
        return status == 503 and any(reason in reported for reported in answer["reasons"])

    wait_for(is_reported, reason, every_seconds=0.2)


def test_readiness_is_lost_and_regained_with_the_worker(make_scene: SceneMaker) -> None:
    scene = make_scene("health")
    scene.create_table()
    client = service(connect(scene.sync, scene.settings))
    wait_for(lambda: ready(client)[1].get("reasons") == MISSING, "no index")
    with worker(scene.sync, scene.settings):
        # Items older than the index are indexed by a refill.
        wait_for(lambda: ready(client)[1].get("reasons") != MISSING, "an index")
        scene.load(lessons(50))
        lag = await_ready(client)
        assert lag is not None
        assert lag <= LIMIT_SECONDS
    await_reason(client, BEHIND)
    with worker(scene.sync, scene.settings):
        await_ready(client)


def test_stale_index_is_not_ready_before_its_refill_is_complete(make_scene: SceneMaker) -> None:
    scene = make_scene("health-stale")
    scene.create_table()
    runtime = connect(scene.sync, scene.settings)
    runtime.ensure_index()
    client = service(runtime, has_worker=False)
    assert await_ready(client) is None
    assert not runtime.state().exists()
    checkpoints = runtime.checkpoints()
    checkpoints.mark_stale("a shard was trimmed")
    await_reason(client, "the index is declared stale")
    checkpoints.begin_recovery(1)
    await_reason(service(runtime, has_worker=False), "the index is declared stale")
    assert checkpoints.end_recovery(1)
    assert await_ready(client) is None


@pytest.mark.parametrize(
    ("backend", "late", "unavailable"),
    [
        ("opensearch", "the index does not respond in time", "the index cannot be reached"),
        ("dynamodb", "the lag could not be read in time", "the lag cannot be read"),
    ],
)
def test_hanging_or_unavailable_backend_is_reported_in_time(
    make_scene: SceneMaker, local_stack: LocalStack, backend: str, late: str, unavailable: str
) -> None:
    with relay_to(getattr(local_stack.endpoints, backend)) as relay:
        scene = make_scene(f"health-{backend}", **{f"{backend}_url": relay.url})
        scene.create_table()
        runtime = connect(scene.sync, scene.settings)
        runtime.ensure_index()
        client = service(runtime, has_worker=False)
        await_ready(client)
        relay.freeze()
        wait_for(lambda: ready(client)[0] == 503, "not ready", every_seconds=0.2)
        # The request returns although the backend never responds.
        status, body = ready(client)
        assert status == 503
        assert body["reasons"] in ([late], [unavailable])
        relay.thaw()
        await_ready(client)
        relay.cut()
        await_reason(client, unavailable if backend == "opensearch" else "the lag")
        relay.restore()
        await_ready(client)
