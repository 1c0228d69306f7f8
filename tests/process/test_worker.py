"""The worker as a real process: killed, stopped, replaced and hurried, it leaves table and index the same."""

from __future__ import annotations

import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest

from dynadex.demo.songs import lessons
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands, Running, wait_for
from tests.process.scene import REFERENCE, Scene

READING = "reading the stream as worker"
ALL_SONGS = sum(1 for _ in lessons())


def start_worker(commands: Commands, scene: Scene, **variables: str) -> Running:
    """A worker that reads; small batches, so that it can be interrupted at many points."""
    quick = {"DYNADEX_WORKER_BATCH_SIZE": "200", "DYNADEX_WORKER_LEASE_SECONDS": "0.5"}
    worker = commands.start("run", REFERENCE, **scene.variables | quick | variables)
    worker.wait_for_line(READING)
    return worker


class Gates:
    """Songs that stop at gates, each given as a part of all songs, until it is opened."""

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
    """Songs on their way into the table while the block runs; all of them are there after it."""
    loader = threading.Thread(target=scene.load, args=(gates.songs(),))
    loader.start()
    try:
        yield loader
    finally:
        gates.open_all()
        loader.join()


def applied(worker: Running) -> int:
    """How many changes it says it applied, once it has stopped."""
    return int(worker.wait_for_line(r"stopped: ([\d,]+) applied")[1].replace(",", ""))


def owner(worker: Running) -> str:
    return worker.wait_for_line(rf"{READING} (\S+)")[1]


@pytest.mark.parametrize("backend", ["opensearch"])
def test_killed_three_times_while_songs_are_loaded_it_brings_every_song_to_the_index(
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
            assert loader.is_alive(), "it was not killed in the middle of loading"
            gates.open_next()
            worker = start_worker(commands, scene)
    scene.await_count(ALL_SONGS)
    scene.await_equal()
    assert len(scene.documents()) == ALL_SONGS
    assert worker.stop() == 0


def test_told_to_stop_it_keeps_its_place_and_reads_nothing_twice(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("stopped")
    scene.create_table()
    songs = list(lessons(4000))
    scene.load(songs)
    done, position = 0, 0
    for number, least in ((signal.SIGTERM, 200), (signal.SIGINT, 700)):
        worker = start_worker(commands, scene)
        scene.await_count(least)
        assert worker.stop(number) == 0
        worker.wait_for_line(rf"stopping \({number.name}\)")
        done += applied(worker)
        assert least <= done < len(songs), "it was not stopped in the middle"
        assert worker.output == []
        [later] = map(int, scene.checkpoints().values())
        assert later > position
        position = later

    worker = start_worker(commands, scene)
    scene.await_count(len(songs))
    scene.await_equal()
    assert worker.stop() == 0
    assert done + applied(worker) == len(songs)


def test_a_second_worker_stands_by_and_takes_over_from_a_killed_one(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("taken-over")
    scene.create_table()
    songs = lessons()
    first = start_worker(commands, scene, DYNADEX_WORKER_LEASE_SECONDS="2")
    second = commands.start("run", REFERENCE, **scene.variables | {"DYNADEX_WORKER_LEASE_SECONDS": "2"})
    second.wait_for_line(f"standing by: worker {re.escape(owner(first))} holds the lease")
    scene.load(islice(songs, 300))
    scene.await_count(300)
    assert not any(READING in line for line in second.errors), "both read"

    # Where a batch follows at once, a checkpoint waits for up to a second.
    scene.await_checkpoint()
    first.kill()
    second.wait_for_line(READING)
    scene.load(islice(songs, 300))
    scene.await_count(600)
    scene.await_equal()
    assert second.stop() == 0
    assert applied(second) == 300, "it did not start where the first one was"


def test_those_that_stand_by_can_be_stopped_and_take_over_at_once_from_one_that_stops(
    make_scene: SceneMaker, commands: Commands
) -> None:
    scene = make_scene("handed-over")
    scene.create_table()
    # Were anybody to wait for the lease to run out, it would be found out.
    slow = {"DYNADEX_WORKER_LEASE_SECONDS": "600"}
    first = start_worker(commands, scene, **slow)
    second, third = (commands.start("run", REFERENCE, **scene.variables | slow) for _ in range(2))
    second.wait_for_line("standing by")
    third.wait_for_line("standing by")
    assert third.stop() == 0
    assert applied(third) == 0
    assert first.stop() == 0
    second.wait_for_line(READING)
    scene.load(lessons(50))
    scene.await_count(50)
    assert second.stop() == 0


def test_a_worker_that_was_frozen_while_another_took_over_ends_and_harms_nothing(
    make_scene: SceneMaker, commands: Commands
) -> None:
    scene = make_scene("frozen")
    scene.create_table()
    first = start_worker(commands, scene)
    scene.load(lessons(200))
    first.send(signal.SIGSTOP)
    second = start_worker(commands, scene)
    scene.await_count(200)
    first.send(signal.SIGCONT)
    assert first.wait() == 1
    first.wait_for_line(f"dynadex: Cannot go on as worker {re.escape(owner(first))}: another worker took the lease")
    scene.await_equal()
    assert second.stop() == 0


def test_changes_faster_than_the_streams_clock_end_the_same_in_the_index(
    make_scene: SceneMaker, commands: Commands
) -> None:
    scene = make_scene("hurried")
    scene.create_table()
    worker = start_worker(commands, scene)
    songs = list(lessons(9))
    until = time.monotonic() + 2.0

    def hurry(seed: int) -> None:
        # Every thread has songs of its own: which of two writers comes last is the table's affair.
        chance = random.Random(seed)
        turn = 0
        while time.monotonic() < until:
            turn += 1
            song = chance.choice(songs[seed:8:4])
            if chance.random() < 0.3:
                scene.delete(song["id"])
            else:
                scene.put({**song, "note_count": turn})

    threads = [threading.Thread(target=hurry, args=(seed,)) for seed in range(4)]
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
    # Had nothing tied, this would have been too slow to prove anything.
    worker.wait_for_line(r"stopped: .* reconciled")
