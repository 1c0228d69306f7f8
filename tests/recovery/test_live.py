"""Refill and rebuild while the table is written to and the index is searched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dynadex.demo.songs import lessons
from dynadex.index.aliases import searched_index
from dynadex.index.bulk import External, Write
from dynadex.index.lifecycle import physical_indexes, retirable, retire, roll_back
from dynadex.local.stack import LocalStack
from dynadex.refill.rebuild import RebuildOptions, rebuild
from dynadex.refill.refill import RefillOptions, refill
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from tests.faults.load import WriteLoad, writing
from tests.faults.stage import Figures as Compared
from tests.faults.stage import Stage, make_stage
from tests.process.processes import Commands, Running, commands_in
from tests.process.scene import REFERENCE
from tests.recovery.conftest import SCALE, scaled
from tests.recovery.figures import Figures

SONGS = scaled(2_000, least=600)
ORPHANS = 20
# Three writers, bursts of three and a half: at full length 200 writes a second and more, where the machine gives it.
_PAUSE_SECONDS = 0.01 if SCALE >= 1 else 0.04


@pytest.fixture
def stage(stack: LocalStack, opensearch_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    name = request.node.name.replace("_", "-")[-60:].strip("-")
    made = make_stage(tmp_path, name, stack.endpoints.dynamodb, opensearch_url)
    made.load(lessons(SONGS))
    yield made
    made.close()


@pytest.fixture
def commands(stage: Stage) -> Iterator[Commands]:
    with commands_in(stage.directory, **stage.variables, DYNADEX_MAX_BATCH_SECONDS="3") as made:
        yield made


@pytest.fixture
def worker(stage: Stage, commands: Commands) -> Running:
    """A worker that has caught up."""
    started = commands.start("run", REFERENCE)
    started.wait_for_line("reading the stream as worker")
    stage.await_count(SONGS, 120)
    return started


@pytest.fixture
def runtime(stage: Stage) -> Runtime:
    settings = RuntimeSettings.from_environment({**stage.variables, "DYNADEX_MAX_BATCH_SECONDS": "3"})
    return connect(stage.sync, settings)


def test_a_refill_while_the_table_is_written_to(
    stage: Stage, runtime: Runtime, worker: Running, figures: Figures, tell: Callable[[str], None]
) -> None:
    compared = Compared()
    for seed in range(scaled(20, least=2)):
        plant_orphans(runtime, seed)
        with writing(stage, seed, _PAUSE_SECONDS) as load:
            started_at = time.monotonic()
            done = refill(runtime, RefillOptions(), threading.Event())
            told = rate(load, started_at)
        assert done.swept.deleted >= ORPHANS
        stage.compare(compared, worker)
        figures.refills += 1
        figures.writes += load.writes
        tell(f"refill, seed {seed}: {told}, {done.swept.deleted} swept, 0 differences")


def test_a_rebuild_while_the_table_is_written_to_and_searched(
    stage: Stage, runtime: Runtime, worker: Running, figures: Figures, tell: Callable[[str], None]
) -> None:
    compared = Compared()
    for seed in range(scaled(20)):
        before = searched_index(runtime.index, stage.name)
        with searching(runtime) as searches, writing(stage, seed, _PAUSE_SECONDS) as load:
            started_at = time.monotonic()
            done = rebuild(runtime, RebuildOptions(verify=seed % 2 == 1), threading.Event())
            told = rate(load, started_at)
        assert done.name != before
        assert searches.failed == []
        assert searches.done > 50
        stage.compare(compared, worker)
        # The old index is as fresh as the new one: a rollback is never stale.
        assert roll_back(runtime.index, stage.name) == (done.name, before)
        assert stage.differences() == []
        roll_back(runtime.index, stage.name)
        with searching(runtime) as more, writing(stage, seed + 1000, _PAUSE_SECONDS) as after:
            for name in retirable(runtime.index, stage.name, []):
                retire(runtime.index, stage.name, name)
            time.sleep(1)
        assert more.failed == []
        assert [one.role for one in physical_indexes(runtime.index, stage.name)] == ["searched"]
        stage.compare(compared, worker)
        figures.rebuilds += 1
        figures.writes += load.writes + after.writes
        figures.searches += searches.done + more.done
        figures.failed_searches += len(searches.failed) + len(more.failed)
        tell(f"rebuild, seed {seed}: {told}, {searches.done:,} searches, none failed, 0 differences")


class Searches:
    """What a searcher got: how many answers, and what was wrong with the others."""

    def __init__(self) -> None:
        self.done = 0
        self.failed: list[str] = []


@contextmanager
def searching(runtime: Runtime) -> Iterator[Searches]:
    """Somebody searches through the read alias, again and again, for as long as the block runs."""
    found, stop = Searches(), threading.Event()

    def search() -> None:
        while not stop.wait(0.02):
            found.done += 1
            try:
                reply = runtime.index.search(runtime.sync.index, {"query": {"match": {"title": "the"}}, "size": 1})
                if not reply["hits"]["hits"]:
                    found.failed.append("no hit")
            except Exception as error:  # noqa: BLE001 - counted, and asserted to be none
                found.failed.append(str(error))

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def plant_orphans(runtime: Runtime, seed: int) -> None:
    """Documents without an item, older than any refill."""
    [index] = runtime.index.indexes_behind(runtime.sync.index)
    orphans = [Write(f"orphan-{seed}-{n}", b'{"title":"gone"}', External(1_000)) for n in range(ORPHANS)]
    runtime.writer.write(index, orphans, runtime.clock.monotonic() + 10)


def rate(load: WriteLoad, started_at: float) -> str:
    """Writes go on for two seconds at least; how many there were, in words."""
    time.sleep(max(0.0, started_at + 2 - time.monotonic()))
    return f"{load.writes:,} writes ({load.writes / (time.monotonic() - started_at):.0f} a second)"
