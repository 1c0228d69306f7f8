"""The worker as a real process: killed, stopped, replaced and under load, it leaves table and index equal."""

from __future__ import annotations

import random
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from dynadex.demo.songs import lessons
from tests.process.conftest import SceneMaker
from tests.process.processes import COMMAND, THREADS, Commands, Running
from tests.process.scene import REFERENCE, Scene
from tests.waiting import wait_for

READING = "reading the stream as worker"
ALL_SONGS = sum(1 for _ in lessons())
WRITES_EACH = 250
# Longer than any wait of a test.
ENDLESS_LEASE = {"DYNADEX_WORKER_LEASE_SECONDS": "3600"}


def start_worker(commands: Commands, scene: Scene, patient: Sequence[str] = (COMMAND,), **variables: str) -> Running:
    """Start a worker and wait until it reads. Small batches allow interruptions at many points."""
    quick = {"DYNADEX_WORKER_BATCH_SIZE": "200", "DYNADEX_WORKER_LEASE_SECONDS": "0.5"}
    worker = commands.start("run", REFERENCE, patient=patient, **scene.variables | quick | variables)
    worker.wait_for_line(READING)
    return worker


class Gates:
    """Songs that wait at closed gates. The position of a gate is a fraction of all songs."""

    def __init__(self, *parts: float) -> None:
        self._gates = {round(part * ALL_SONGS): threading.Event() for part in parts}
        self._closed = list(self._gates.values())

    def open_next(self) -> None:
        self._closed.pop(0).set()

    def open_all(self) -> None:
        while self._closed:
            self.open_next()

    def songs(self) -> Iterator[dict[str, Any]]:
        for position, song in enumerate(lessons()):
            if position in self._gates:
                self._gates[position].wait()
            yield song


@contextmanager
def loading(scene: Scene, gates: Gates) -> Iterator[threading.Thread]:
    """Load songs into the table while the block runs; all of them are loaded after it."""
    loader = threading.Thread(target=scene.load, args=(gates.songs(),))
    loader.start()
    try:
        yield loader
    finally:
        gates.open_all()
        loader.join()


def applied(worker: Running) -> int:
    """Number of applied changes that a stopped worker logged."""
    return int(worker.wait_for_line(r"stopped: ([\d,]+) applied")[1].replace(",", ""))


def owner(worker: Running) -> str:
    return worker.wait_for_line(rf"{READING} (\S+)")[1]


@pytest.mark.parametrize("backend", ["opensearch"])
def test_worker_killed_three_times_under_load_indexes_every_song(
    make_scene: SceneMaker, commands: Commands, request: pytest.FixtureRequest, backend: str
) -> None:
    url = request.getfixturevalue("opensearch_url") if backend == "opensearch" else ""
    scene = make_scene(f"killed-{backend}", opensearch_url=url)
    scene.create_table()
    worker = start_worker(commands, scene)
    # The loader gets no further than a gate, each a little past the part of the songs at which the worker is killed.
    moments, gates = (0.1, 0.4, 0.75), Gates(0.45, 0.8, 0.95)
    with loading(scene, gates) as loader:
        for moment in moments:
            scene.await_count(round(moment * ALL_SONGS))
            worker.kill()
            assert loader.is_alive(), "the worker was not killed during the load"
            gates.open_next()
            worker = start_worker(commands, scene)
    scene.await_count(ALL_SONGS)
    scene.await_equal()
    assert len(scene.documents()) == ALL_SONGS
    assert worker.stop() == 0


def test_stopped_worker_keeps_its_position_and_reads_nothing_twice(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("stopped")
    scene.create_table()
    songs = list(lessons(4000))
    done, position, loaded = 0, 0, 0
    for number, min_count in ((signal.SIGTERM, 200), (signal.SIGINT, 1700)):
        # The rest is written later, so the worker cannot apply all of them before it is stopped.
        scene.load(songs[loaded : loaded + 1500])
        loaded += 1500
        # A worker that does not wait for a slow thread reads its last batch again.
        worker = start_worker(commands, scene, patient=(COMMAND, THREADS))
        scene.await_count(min_count)
        assert worker.stop(number) == 0
        worker.wait_for_line(rf"stopping \({number.name}\)")
        done += applied(worker)
        assert min_count <= done <= loaded
        assert worker.output == []
        [later] = map(int, scene.checkpoints().values())
        assert later > position
        position = later

    scene.load(songs[loaded:])
    worker = start_worker(commands, scene)
    scene.await_count(len(songs))
    scene.await_equal()
    assert worker.stop() == 0
    assert done + applied(worker) == len(songs)


def test_standby_takes_over_from_a_killed_worker(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("taken-over")
    scene.create_table()
    songs = lessons()
    first = start_worker(commands, scene, **ENDLESS_LEASE)
    second = commands.start("run", REFERENCE, **scene.variables | ENDLESS_LEASE)
    second.wait_for_line(f"standby: worker {re.escape(owner(first))} holds the lease")
    scene.load(islice(songs, 300))
    scene.await_count(300)
    assert not any(READING in line for line in second.errors), "both workers read"

    # In a backlog, a checkpoint is delayed by up to a second.
    scene.await_checkpoint()
    first.kill()
    # A real term could end while the first worker is only slow. `test_frozen_worker_...` lets one end.
    scene.expire_lease()
    second.wait_for_line(READING)
    scene.load(islice(songs, 300))
    scene.await_count(600)
    scene.await_equal()
    assert second.stop() == 0
    assert applied(second) == 300, "the standby did not start at the position of the first worker"


def test_standby_can_be_stopped_and_takes_over_immediately_from_a_worker_that_stops(
    make_scene: SceneMaker, commands: Commands
) -> None:
    scene = make_scene("handed-over")
    scene.create_table()
    # A standby that waits for the lease to expire would exceed the limit of a wait.
    first = start_worker(commands, scene, **ENDLESS_LEASE)
    second, third = (commands.start("run", REFERENCE, **scene.variables | ENDLESS_LEASE) for _ in range(2))
    second.wait_for_line("standby: ")
    third.wait_for_line("standby: ")
    assert third.stop() == 0
    assert applied(third) == 0
    assert first.stop() == 0
    second.wait_for_line(READING)
    scene.load(lessons(50))
    scene.await_count(50)
    assert second.stop() == 0


def test_frozen_worker_that_was_replaced_ends_and_changes_nothing(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("frozen")
    scene.create_table()
    first = start_worker(commands, scene)
    scene.load(lessons(200))
    first.send(signal.SIGSTOP)
    second = start_worker(commands, scene)
    scene.await_count(200)
    first.send(signal.SIGCONT)
    assert first.wait() == 1
    first.wait_for_line(
        f"dynadex: Cannot continue as worker {re.escape(owner(first))}: another worker took over the lease"
    )
    scene.await_equal()
    assert second.stop() == 0


def test_changes_within_the_granularity_of_the_stream_leave_no_difference(
    make_scene: SceneMaker, commands: Commands
) -> None:
    scene = make_scene("hurried")
    scene.create_table()
    worker = start_worker(commands, scene)
    songs = list(lessons(9))

    def write(seed: int) -> None:
        # Each thread writes other songs: the table decides which of two writers of one song is the last.
        chance = random.Random(seed)
        for turn in range(WRITES_EACH):
            song = chance.choice(songs[seed:8:4])
            if chance.random() < 0.3:
                scene.delete(song["id"])
            else:
                scene.put({**song, "note_count": turn})

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for turn in range(50):
        scene.put({**songs[8], "title": f"Version {turn}"})
        scene.delete(songs[8]["id"])
        scene.put({**songs[8], "title": f"Version {turn} again"})
    wait_for(lambda: "Version 49 again" in str(scene.documents()), "the last title in the index")
    scene.await_equal()
    assert worker.stop() == 0
    # Without a tie, the writes would prove nothing.
    worker.wait_for_line(r"stopped: .* reconciled")
