"""Backfill and rebuild under a load of writes and searches."""

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
from tests.waiting import HANG_SECONDS, let_pass, wait_for

SONGS = scaled(2_000, min_count=600)
ORPHANS = 20
# Three writers with bursts of 3.5 writes on average: at full length, at least 200 writes per second on a fast machine.
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
    """A worker that has indexed every song."""
    started = commands.start("run", REFERENCE)
    started.wait_for_line("reading the stream as worker")
    stage.await_count(SONGS)
    return started


@pytest.fixture
def runtime(stage: Stage) -> Runtime:
    settings = RuntimeSettings.from_environment({**stage.variables, "DYNADEX_MAX_BATCH_SECONDS": "3"})
    return connect(stage.sync, settings)


def test_backfill_under_a_load_of_writes(
    stage: Stage, runtime: Runtime, worker: Running, figures: Figures, print_line: Callable[[str], None]
) -> None:
    compared = Compared()
    for seed in range(scaled(20, min_count=2)):
        plant_orphans(runtime, seed)
        with writing(stage, seed, _PAUSE_SECONDS) as load:
            started_at = time.monotonic()
            done = refill(runtime, RefillOptions(), threading.Event())
            load_rate = rate(load, started_at)
        assert done.swept.deleted >= ORPHANS
        stage.compare(compared, worker)
        figures.refills += 1
        figures.writes += load.writes
        print_line(f"refill, seed {seed}: {load_rate}, {done.swept.deleted} swept, 0 differences")


def test_rebuild_under_a_load_of_writes_and_searches(
    stage: Stage, runtime: Runtime, worker: Running, figures: Figures, print_line: Callable[[str], None]
) -> None:
    compared = Compared()
    for seed in range(scaled(20)):
        before = searched_index(runtime.index, stage.name)
        with searching(runtime) as searches, writing(stage, seed, _PAUSE_SECONDS) as load:
            started_at = time.monotonic()
            done = rebuild(runtime, RebuildOptions(verify=seed % 2 == 1), threading.Event())
            during = searches.done
            load_rate = rate(load, started_at)
            wait_for(lambda searches=searches: searches.done > 50, "searches")  # type: ignore[misc]
        assert done.name != before
        assert searches.failed == []
        assert during > 0
        stage.compare(compared, worker)
        # Writers write to both indexes, so a rollback loses no change.
        assert roll_back(runtime.index, stage.name) == (done.name, before)
        assert stage.differences() == []
        roll_back(runtime.index, stage.name)
        with searching(runtime) as more, writing(stage, seed + 1000, _PAUSE_SECONDS) as after:
            for name in retirable(runtime.index, stage.name, []):
                retire(runtime.index, stage.name, name)
            done_before = more.done
            wait_for(lambda before=done_before: more.done >= before + 20, "searches of the remaining index")  # type: ignore[misc]
        assert more.failed == []
        assert [index.role for index in physical_indexes(runtime.index, stage.name)] == ["searched"]
        stage.compare(compared, worker)
        figures.rebuilds += 1
        figures.writes += load.writes + after.writes
        figures.searches += searches.done + more.done
        figures.failed_searches += len(searches.failed) + len(more.failed)
        print_line(f"rebuild, seed {seed}: {load_rate}, {searches.done:,} searches, none failed, 0 differences")


class Searches:
    """Number of searches, and the errors of those that failed or returned no hit."""

    def __init__(self) -> None:
        self.done = 0
        self.failed: list[str] = []


@contextmanager
def searching(runtime: Runtime) -> Iterator[Searches]:
    """Search through the read alias repeatedly while the block runs."""
    searches, stop = Searches(), threading.Event()

    def search() -> None:
        while not stop.wait(0.02):
            searches.done += 1
            try:
                reply = runtime.index.search(runtime.sync.index, {"query": {"match": {"title": "the"}}, "size": 1})
                if not reply["hits"]["hits"]:
                    searches.failed.append("no hit")
            except Exception as error:  # noqa: BLE001 - counted, and asserted to be none
                searches.failed.append(str(error))

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield searches
    finally:
        stop.set()
        thread.join()


def plant_orphans(runtime: Runtime, seed: int) -> None:
    """Write documents without an item, older than any backfill."""
    [index] = runtime.index.indexes_behind(runtime.sync.index)
    orphans = [Write(f"orphan-{seed}-{n}", b'{"title":"orphan"}', External(1_000)) for n in range(ORPHANS)]
    runtime.writer.write(index, orphans, runtime.clock.monotonic() + HANG_SECONDS)


def rate(load: WriteLoad, started_at: float) -> str:
    """Let the load run for at least two seconds; describe its rate."""
    let_pass(started_at + 2 - time.monotonic())
    return f"{load.writes:,} writes ({load.writes / (time.monotonic() - started_at):.0f} a second)"
