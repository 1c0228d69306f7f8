"""A backend that goes away for a while and comes back: the worker waits, loses nothing, and can always be stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice

import pytest

from dynadex.demo.songs import lessons
from dynadex.local.stack import LocalStack
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands, Running, wait_for
from tests.process.relay import Relay, relay_to
from tests.process.scene import REFERENCE, Scene

LEASE_SECONDS = 1.0
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


def outlast(seconds: float, worker: Running) -> None:
    """Let an outage last, as long as the worker bears it."""
    until = time.monotonic() + seconds
    wait_for(lambda: not worker.is_alive() or time.monotonic() > until, "the end of an outage", 2 * seconds)
    assert worker.is_alive(), str(worker)


@pytest.mark.parametrize("backend", ["dynamodb", "opensearch"])
def test_the_worker_outlives_an_outage_longer_than_its_lease(
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
    assert worker.stop() == 0


@pytest.mark.parametrize("backend", ["dynamodb", "opensearch"])
def test_the_worker_stops_at_once_while_a_backend_is_away(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker, backend: str
) -> None:
    scene, between = make_scene(f"stopped-without-{backend}"), relay(backend)
    worker = start_worker(commands, scene, backend, between)
    between.cut()
    scene.load(islice(lessons(), SONGS, SONGS + 10))
    worker.wait_for_line("waiting: ")
    assert worker.stop(signal.SIGTERM, seconds=5) == 0
    worker.wait_for_line("stopped: ")

    between.restore()
    again = commands.start("run", REFERENCE, **scene.variables)
    scene.await_count(SONGS + 10)
    scene.await_equal()
    assert again.stop() == 0


def test_the_worker_stops_in_good_time_while_the_search_cluster_hangs(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker
) -> None:
    scene, between = make_scene("stopped-while-hanging"), relay("opensearch")
    worker = start_worker(commands, scene, "opensearch", between)
    between.freeze()
    scene.load(islice(lessons(), SONGS, SONGS + 10))
    wait_for(lambda: between.held_up, "a request on its way")
    # Docker gives ten seconds.
    assert worker.stop(signal.SIGTERM, seconds=9) == 0
    worker.wait_for_line("stopped: ")

    again = commands.start("run", REFERENCE, **scene.variables)
    scene.await_count(SONGS + 10)
    scene.await_equal()
    assert again.stop() == 0


def test_an_answer_lost_on_its_way_does_not_cost_the_worker_its_lease(
    make_scene: SceneMaker, commands: Commands, relay: RelayMaker
) -> None:
    scene, between = make_scene("lost-answer"), relay("dynamodb")
    worker = start_worker(commands, scene, "dynamodb", between)
    for _ in range(3):
        between.lose_answer_to(b'{"S": "lease"}')
        assert between.lost.wait(10)
    outlast(2 * LEASE_SECONDS, worker)
    assert worker.stop() == 0
