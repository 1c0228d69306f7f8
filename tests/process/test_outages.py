"""Backends that are temporarily unavailable: the worker waits, loses nothing, and can be stopped at any time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

import pytest

from dynadex import clients
from dynadex.clock import SystemClock
from dynadex.demo.songs import lessons
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from dynadex.state.lease import Lease
from dynadex.state.state_table import StateTable, StateUnavailable
from dynadex.testing import ManualClock
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands, Running
from tests.process.relay import Relay, relay_to
from tests.process.scene import REFERENCE, Scene
from tests.waiting import let_pass, wait_for

LEASE_SECONDS = 1.0
SONGS = 300

RelayMaker = Callable[[str], Relay]


@pytest.fixture
def relay(local_stack: LocalStack) -> Iterator[RelayMaker]:
    """A relay in front of ``dynamodb`` or ``opensearch``."""
    with ExitStack() as relays:
        yield lambda backend: relays.enter_context(relay_to(getattr(local_stack.endpoints, backend)))


def start_worker(commands: Commands, scene: Scene, backend: str, relay: Relay) -> Running:
    """Start a worker that reaches one backend through the relay, and wait until it has indexed some songs."""
    scene.create_table()
    scene.load(islice(lessons(), SONGS))
    worker = commands.start("run", REFERENCE, f"--{backend}", relay.url, **scene.variables)
    scene.await_count(SONGS)
    return worker


def assert_continues(commands: Commands, scene: Scene) -> None:
    """Assert that the next worker indexes the changes of the outage."""
    worker = commands.start("run", REFERENCE, **scene.variables)
    wait_for(lambda: "last" in scene.documents(), "the last song in the index")
    scene.await_equal()
    assert worker.stop() == 0


def outlast(seconds: float, worker: Running) -> None:
    """Wait for a part of an outage; fails if the worker ends."""
    let_pass(seconds, worker.is_alive)
    assert worker.is_alive(), str(worker)


@pytest.mark.parametrize("backend", ["dynamodb", "opensearch"])
def test_worker_survives_an_outage_longer_than_its_lease_and_can_be_stopped_in_the_next(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker, backend: str
) -> None:
    scene, between = make_scene(f"{backend}-unavailable"), relay(backend)
    worker = start_worker(commands, scene, backend, between)
    between.cut()
    scene.load(islice(lessons(), SONGS, 2 * SONGS))
    worker.wait_for_line("waiting: .*(onnect|answer)")
    outlast(2.5 * LEASE_SECONDS, worker)
    assert scene.count() == SONGS, "there was no outage"
    between.restore()
    scene.await_count(2 * SONGS)
    scene.await_equal()

    between.cut()
    scene.put({"id": "last", "title": "Written during an outage"})
    assert worker.stop() == 0
    worker.wait_for_line("stopped: ")
    between.restore()
    assert_continues(commands, scene)


def test_worker_stops_in_time_while_the_search_cluster_hangs(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker
) -> None:
    scene, between = make_scene("hanging"), relay("opensearch")
    worker = start_worker(commands, scene, "opensearch", between)
    between.freeze()
    scene.put({"id": "last", "title": "Written while the cluster hung"})
    wait_for(lambda: between.held_up, "a request on its way")
    assert worker.stop() == 0
    worker.wait_for_line(
        r"not waiting for hanging threads \(.*\bshard \S+\): unacknowledged records will be read again"
    )
    worker.wait_for_line("stopped: ")
    assert_continues(commands, scene)


def test_deleted_state_table_ends_the_worker_with_one_line(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("no-state")
    scene.create_table()
    worker = commands.start("run", REFERENCE, **scene.variables)
    worker.wait_for_line("reading the stream")
    scene.dynamodb.delete_table(TableName="no-state-dynadex")
    assert worker.wait() == 1
    assert re.match(
        r"dynadex: Cannot (read|write) the state table no-state-dynadex: .*\. Grant this role access to the table, ",
        worker.errors[-1],
    )
    assert "Traceback" not in str(worker)


class UnreliableState(StateTable):
    """A state table that can be made unavailable."""

    unavailable = False

    def get(self, what: str) -> dict[str, Any] | None:
        if self.unavailable:
            raise StateUnavailable("read the state table", self.name, "connection refused")
        return super().get(what)


@pytest.fixture
def make_state() -> Iterator[Callable[[str, str], UnreliableState]]:
    """Create a state table with a name, at a URL."""
    with ExitStack() as open_clients:

        def make(name: str, dynamodb_url: str) -> UnreliableState:
            client = clients.dynamodb(RuntimeSettings(dynamodb_url=dynamodb_url))
            open_clients.callback(client.close)
            state = UnreliableState(client, name, "songs")
            state.ensure()
            return state

        yield make


def test_lost_response_does_not_lose_the_lease(
    make_state: Callable[[str, str], UnreliableState], relay: RelayMaker
) -> None:
    between = relay("dynamodb")
    state = make_state("lost-answers", between.url)
    lease, other = (Lease(state, owner, SystemClock(), 60.0) for owner in ("one", "other"))
    for take in (lease.acquire, lease.renew, lease.renew):
        # The retry is rejected, because the first request was applied.
        between.lose_answer_to(b'"beat"')
        assert take()
        assert between.lost.is_set()
    assert lease.renew()
    assert not other.acquire()
    assert other.holder() == "one"


def test_outage_does_not_count_as_a_missed_heartbeat(
    make_state: Callable[[str, str], UnreliableState], local_stack: LocalStack
) -> None:
    state = make_state("silent-outage", local_stack.endpoints.dynamodb)
    clock = ManualClock()
    holder, watcher = Lease(state, "holder", clock, 10.0), Lease(state, "watcher", clock, 10.0)
    assert holder.acquire()
    assert not watcher.acquire()
    state.unavailable = True
    with pytest.raises(StateUnavailable):
        watcher.acquire()
    clock.advance(3600)
    state.unavailable = False
    assert not watcher.acquire()
    clock.advance(10)
    assert watcher.acquire()
    assert not holder.renew()
