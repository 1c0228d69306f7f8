"""The service's readiness before real backends: it goes with the worker, and comes back with it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dynadex.demo.songs import lessons
from dynadex.http.app import create_app
from dynadex.local.stack import LocalStack
from dynadex.runtime import Runtime, connect
from dynadex.state.lag import StateLag
from tests.process.conftest import SceneMaker
from tests.process.following import worker
from tests.process.processes import wait_for
from tests.process.relay import relay_to
from tests.unit.service import Client

# More than an idle worker lets pass before it notes that nothing happened.
LIMIT_SECONDS = 12.0
MISSING = ["the index is missing", "no worker has caught up with the table yet"]
# A checker that waits longer takes a hanging region for a healthy one.
SOON_SECONDS = 4.0
BEHIND = r"s behind its table, more than 12 s"


def service(runtime: Runtime, *, has_worker: bool = True) -> Client:
    freshness = StateLag(runtime.state(), runtime.clock, has_worker)
    return Client(
        create_app(runtime.sync, runtime.index, runtime.table, runtime.description.schema, freshness, LIMIT_SECONDS)
    )


def ready(client: Client) -> tuple[int, Any]:
    response = client.get("/health/ready")
    return response.status_code, response.json()


def await_ready(client: Client) -> float | None:
    """The lag, once it is ready."""
    told = wait_for(lambda: (found := ready(client))[0] == 200 and found[1], "ready", every_seconds=0.2)
    lag: float | None = told["lag_seconds"]
    return lag


def await_reason(client: Client, reason: str) -> None:
    def told() -> bool:
        status, answer = ready(client)
        return status == 503 and any(reason in one for one in answer["reasons"])

    wait_for(told, reason, every_seconds=0.2)


def test_readiness_goes_and_comes_back_with_the_worker(make_scene: SceneMaker) -> None:
    scene = make_scene("health")
    scene.create_table()
    client = service(connect(scene.sync, scene.settings))
    assert ready(client)[1]["reasons"] == MISSING
    with worker(scene.sync, scene.settings):
        # Items older than the index are for a refill to bring.
        wait_for(lambda: ready(client)[1].get("reasons") != MISSING, "an index")
        scene.load(lessons(50))
        lag = await_ready(client)
        assert lag is not None
        assert lag <= LIMIT_SECONDS
    await_reason(client, BEHIND)
    with worker(scene.sync, scene.settings):
        await_ready(client)


def test_a_stale_index_is_not_ready_before_its_refill_is_complete(make_scene: SceneMaker) -> None:
    scene = make_scene("health-stale")
    scene.create_table()
    runtime = connect(scene.sync, scene.settings)
    runtime.ensure_index()
    client = service(runtime, has_worker=False)
    assert ready(client) == (200, {"status": "ready", "lag_seconds": None})
    assert not runtime.state().exists()
    checkpoints = runtime.checkpoints()
    checkpoints.mark_stale("a shard was trimmed")
    await_reason(client, "the index is declared stale")
    checkpoints.begin_recovery(1)
    assert ready(service(runtime, has_worker=False))[0] == 503
    assert checkpoints.end_recovery(1)
    assert await_ready(client) is None


@pytest.mark.parametrize(
    ("backend", "late", "away"),
    [
        ("opensearch", "the index does not answer in time", "the index cannot be reached"),
        ("dynamodb", "how fresh the index is was not told in time", "how fresh the index is cannot be told"),
    ],
)
def test_a_backend_that_hangs_or_is_away_is_told_soon(
    make_scene: SceneMaker, local_stack: LocalStack, backend: str, late: str, away: str
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
        began = time.monotonic()
        status, told = ready(client)
        assert time.monotonic() - began < SOON_SECONDS
        assert status == 503
        assert told["reasons"] in ([late], [away])
        relay.thaw()
        await_ready(client)
        relay.cut()
        await_reason(client, away if backend == "opensearch" else "how fresh the index is")
        relay.restore()
        await_ready(client)
