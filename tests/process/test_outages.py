"""A backend that goes away for a while and comes back: the worker waits, loses nothing, and can always be stopped."""

from __future__ import annotations

import re
import signal
import time
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
from tests.process.processes import Commands, Running, wait_for
from tests.process.relay import Relay, relay_to
from tests.process.scene import REFERENCE, Scene

LEASE_SECONDS = 1.0
DOCKERS_PATIENCE_SECONDS = 10.0
SONGS = 300

RelayMaker = Callable[[str], Relay]


@pytest.fixture
def relay(local_stack: LocalStack) -> Iterator[RelayMaker]:
    """A relay in front of ``dynamodb`` or ``opensearch``."""
    with ExitStack() as relays:
        yield lambda backend: relays.enter_context(relay_to(getattr(local_stack.endpoints, backend)))


def start_worker(commands: Commands, scene: Scene, backend: str, relay: Relay) -> Running:
    """A worker that reaches one backend through the relay only, and has songs to follow."""
    scene.create_table()
    scene.load(islice(lessons(), SONGS))
    worker = commands.start("run", REFERENCE, f"--{backend}", relay.url, **scene.variables)
    scene.await_count(SONGS)
    return worker


def assert_goes_on(commands: Commands, scene: Scene) -> None:
    """Nothing of what was written while the worker could not work is lost."""
    again = commands.start("run", REFERENCE, **scene.variables)
    wait_for(lambda: "last" in scene.documents(), "the last song in the index")
    scene.await_equal()
    assert again.stop() == 0


def outlast(seconds: float, worker: Running) -> None:
    """Let an outage last, as long as the worker bears it."""
    until = time.monotonic() + seconds
    wait_for(lambda: not worker.is_alive() or time.monotonic() > until, "the end of an outage", 2 * seconds)
    assert worker.is_alive(), str(worker)


@pytest.mark.parametrize("backend", ["dynamodb", "opensearch"])
def test_the_worker_outlives_an_outage_longer_than_its_lease_and_can_be_stopped_in_the_next(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker, backend: str
) -> None:
    scene, between = make_scene(f"{backend}-away"), relay(backend)
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
    scene.put({"id": "last", "title": "Written while a backend was away"})
    assert worker.stop(signal.SIGTERM, seconds=DOCKERS_PATIENCE_SECONDS) == 0
    worker.wait_for_line("stopped: ")
    between.restore()
    assert_goes_on(commands, scene)


def test_the_worker_stops_in_good_time_while_the_search_cluster_hangs(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker
) -> None:
    scene, between = make_scene("hanging"), relay("opensearch")
    worker = start_worker(commands, scene, "opensearch", between)
    between.freeze()
    scene.put({"id": "last", "title": "Written while the cluster hung"})
    wait_for(lambda: between.held_up, "a request on its way")
    assert worker.stop(signal.SIGTERM, seconds=DOCKERS_PATIENCE_SECONDS) == 0
    worker.wait_for_line(r"not waiting for what hangs \(shard \S+\): what is not acknowledged will be read again")
    worker.wait_for_line("stopped: ")
    assert_goes_on(commands, scene)


def test_a_state_table_that_was_deleted_ends_the_worker_with_one_line(
    make_scene: SceneMaker, commands: Commands
) -> None:
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


class Away(StateTable):
    """A state table that can be away."""

    away = False

    def get(self, what: str) -> dict[str, Any] | None:
        if self.away:
            raise StateUnavailable("read the state table", self.name, "connection refused")
        return super().get(what)


@pytest.fixture
def make_state() -> Iterator[Callable[[str, str], Away]]:
    """A state table of a name, at a URL."""
    with ExitStack() as open_clients:

        def make(name: str, dynamodb_url: str) -> Away:
            client = clients.dynamodb(RuntimeSettings(dynamodb_url=dynamodb_url))
            open_clients.callback(client.close)
            state = Away(client, name, "songs")
            state.ensure()
            return state

        yield make


def test_an_answer_lost_on_its_way_does_not_cost_the_lease(
    make_state: Callable[[str, str], Away], relay: RelayMaker
) -> None:
    between = relay("dynamodb")
    state = make_state("lost-answers", between.url)
    lease, other = (Lease(state, owner, SystemClock(), 60.0) for owner in ("one", "other"))
    for take in (lease.acquire, lease.renew, lease.renew):
        # Whoever sends it again is refused by its own first arrival.
        between.lose_answer_to(b'"beat"')
        assert take()
        assert between.lost.is_set()
    assert lease.renew()
    assert not other.acquire()
    assert other.holder() == "one"


def test_an_outage_does_not_count_as_the_silence_of_the_holder(
    make_state: Callable[[str, str], Away], local_stack: LocalStack
) -> None:
    state = make_state("silent-outage", local_stack.endpoints.dynamodb)
    clock = ManualClock()
    holder, watcher = Lease(state, "holder", clock, 10.0), Lease(state, "watcher", clock, 10.0)
    assert holder.acquire()
    assert not watcher.acquire()
    state.away = True
    with pytest.raises(StateUnavailable):
        watcher.acquire()
    clock.advance(3600)
    state.away = False
    assert not watcher.acquire()
    clock.advance(10)
    assert watcher.acquire()
    assert not holder.renew()
