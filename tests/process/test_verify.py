"""Verify on the local stack: planted differences are reported by kind and repaired, also under writes."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dynadex.demo.songs import lessons
from dynadex.document.body import encode
from dynadex.index.aliases import searched_index
from dynadex.index.bulk import External, Outcome, Write
from dynadex.refill.slices import Slice, run_slice
from dynadex.runtime import Runtime, connect
from dynadex.state.last_runs import LastRuns
from dynadex.verify.recheck import Bounds
from dynadex.verify.result import Difference, Kind, VerifyResult
from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, save_result, verify
from tests.process.background import background
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands
from tests.process.scene import REFERENCE, Scene
from tests.waiting import HANG_SECONDS, wait_for

SONGS, EACH = 1_200, 30
WRITES_PER_SECOND = 100
VERIFY = ("verify", REFERENCE)
# A worker on a slow machine may apply a change later than the default limit of the rechecks.
PATIENT = Bounds(max_recheck_seconds=HANG_SECONDS)


@pytest.fixture
def scene(make_scene: SceneMaker, request: pytest.FixtureRequest) -> Scene:
    """A table of songs without an index. A parameter of the test chooses a real OpenSearch."""
    real = getattr(request, "param", "") == "opensearch"
    url = request.getfixturevalue("opensearch_url") if real else ""
    made = make_scene(re.sub(r"\W|_", "-", request.node.name.removeprefix("test_"))[:60].strip("-"), opensearch_url=url)
    made.create_table()
    made.load(lessons(SONGS))
    return made


@pytest.fixture
def filled(scene: Scene) -> Runtime:
    """The table of songs and its index, without a worker."""
    runtime = connect(scene.sync, scene.settings)
    runtime.ensure_index()
    assert run_slice(runtime, Slice(), float("inf")).done
    return runtime


@pytest.fixture
def followed(filled: Runtime, commands: Commands) -> Runtime:
    """The same, with a worker that has read the stream to its end."""
    worker = commands.start("run", REFERENCE)
    worker.wait_for_line("reading the stream")
    filled.table.put({"id": {"S": "last"}})
    wait_for(lambda: filled.index.get_many(index_of(filled), ["last"])[0], "the last item", every_seconds=0.1)
    return filled


def index_of(runtime: Runtime) -> str:
    return searched_index(runtime.index, runtime.sync.index)


def plant(runtime: Runtime, chosen: list[str]) -> set[tuple[Kind, str]]:
    """Write orphans, delete the documents of the first ids, and alter those of the others; return the differences."""
    version = External(runtime.clock.now_us())
    missing, different = chosen[:EACH], chosen[EACH:]
    orphans = [f"orphan-{number}" for number in range(EACH)]
    writes = [Write(identity, None, version) for identity in missing]
    writes += [Write(identity, encode({"id": identity, "title": "altered"}), version) for identity in different]
    writes += [Write(identity, encode({"title": "gone"}), version) for identity in orphans]
    replies = runtime.writer.write(index_of(runtime), writes, runtime.clock.monotonic() + HANG_SECONDS)
    assert {reply.outcome for reply in replies} == {Outcome.APPLIED}
    kinds = {Kind.MISSING: missing, Kind.DIFFERENT: different, Kind.ORPHAN: orphans}
    return {(kind, identity) for kind, ids in kinds.items() for identity in ids}


def some_ids(count: int) -> list[str]:
    return random.Random(1).sample([song["id"] for song in lessons(SONGS)], count)


def run(runtime: Runtime, options: VerifyOptions | None = None) -> tuple[VerifyResult, list[Difference]]:
    differences: list[Difference] = []
    report = VerifyCallbacks(differences.append)
    return verify(runtime, index_of(runtime), options or VerifyOptions(), report), differences


def named(differences: list[Difference]) -> set[tuple[Kind, str]]:
    assert len({difference.id for difference in differences}) == len(differences), "reported twice"
    return {(difference.kind, difference.id) for difference in differences}


@contextmanager
def writes(runtime: Runtime, except_ids: set[str]) -> Iterator[Callable[[], int]]:
    """Keep putting, changing and deleting songs, except those with the given ids. Yield a count of the writes."""
    made = 0
    ids = [song["id"] for song in lessons(SONGS) if song["id"] not in except_ids]
    chance = random.Random(2)

    def write_one() -> None:
        identity = chance.choice([*ids[:500], f"new-{chance.randrange(500)}", chance.choice(ids)])
        if chance.random() < 0.2:
            runtime.table.delete({"id": {"S": identity}})
        else:
            runtime.table.put({"id": {"S": identity}, "title": {"S": f"written {chance.random()}"}})

    def work(stop: threading.Event) -> None:
        nonlocal made
        while not stop.wait(max(0.0, began + made / WRITES_PER_SECOND - time.monotonic())):
            write_one()
            made += 1

    began = time.monotonic()
    with background(work):
        yield lambda: made
    print(f"{made / (time.monotonic() - began):.0f} writes/s")


@pytest.mark.parametrize("scene", ["osmem-server", "opensearch"], indirect=True)
def test_only_planted_differences_are_reported_by_kind(filled: Runtime) -> None:
    planted = plant(filled, some_ids(2 * EACH))
    verified, differences = run(filled)
    assert named(differences) == planted
    assert (verified.items, verified.documents) == (SONGS, SONGS)
    assert dict(verified.differences) == {Kind.MISSING: EACH, Kind.ORPHAN: EACH, Kind.DIFFERENT: EACH}
    assert all("title" in each.fields for each in differences if each.kind is Kind.DIFFERENT)
    save_result(filled, verified)
    last = LastRuns(filled.state()).last("verify")
    assert last is not None
    assert (last["index"], last["remaining"], last["found"]["orphan"]) == (index_of(filled), 3 * EACH, EACH)
    assert last["finished_at"].startswith("20")


def test_no_difference_is_reported_under_writes_that_a_worker_applies(followed: Runtime) -> None:
    with writes(followed, set()) as made:
        verified, differences = run(followed, VerifyOptions(bounds=PATIENT))
        before = made()
        wait_for(lambda: made() >= before + 3 * WRITES_PER_SECOND, "more writes")
        again, more = run(followed, VerifyOptions(bounds=PATIENT))
    assert (differences, more) == ([], [])
    assert verified.equal
    assert again.equal
    assert verified.in_motion == again.in_motion == 0
    assert verified.items > SONGS / 2


def test_repair_under_writes_removes_planted_differences(followed: Runtime, scene: Scene) -> None:
    chosen = some_ids(2 * EACH)
    with writes(followed, set(chosen)):
        planted = plant(followed, chosen)
        verified, differences = run(followed, VerifyOptions(repair=True, bounds=PATIENT))
    assert named(differences) == planted
    assert verified.equal
    assert verified.repaired.total() == 3 * EACH
    scene.await_equal()


def test_sample_finds_its_share(filled: Runtime) -> None:
    ids = some_ids(400)
    version = External(filled.clock.now_us())
    gone = [Write(identity, None, version) for identity in ids]
    gone += [Write(f"orphan-{number}", b"{}", version) for number in range(400)]
    filled.writer.write(index_of(filled), gone, filled.clock.monotonic() + HANG_SECONDS)
    verified, differences = run(filled, VerifyOptions(sample=10, seed=3))
    named(differences)
    assert 80 <= verified.items <= 160
    assert 20 <= verified.differences[Kind.MISSING] <= 65
    assert 20 <= verified.differences[Kind.ORPHAN] <= 65
    assert verified.differences.keys() == {Kind.MISSING, Kind.ORPHAN}


def test_command_prints_only_json(filled: Runtime, commands: Commands) -> None:
    planted = plant(filled, some_ids(2 * EACH))
    reported = commands.start(*VERIFY, "--json", "--settle", "1")
    assert reported.wait() == 1
    *lines, last = map(json.loads, reported.output)
    assert {(Kind(line["kind"]), line["id"]) for line in lines} == planted
    assert all(line["key"] == {"id": {"S": line["id"]}} for line in lines)
    assert last["summary"]["remaining"] == 3 * EACH
    assert last["summary"]["index"] == index_of(filled)
    repaired = commands.start(*VERIFY, "--json", "--settle", "1", "--repair")
    assert repaired.wait() == 0
    *lines, last = map(json.loads, repaired.output)
    assert all(line["repaired"] for line in lines)
    assert (last["summary"]["repaired"], last["summary"]["remaining"]) == (3 * EACH, 0)


def test_command_prints_counts_examples_and_the_next_step(filled: Runtime, commands: Commands) -> None:
    name = index_of(filled)
    plant(filled, some_ids(2 * EACH))
    reported = commands.start(*VERIFY, "--settle", "1")
    assert reported.wait() == 1
    assert [line.split() for line in reported.output[:5]] == [
        ["kind", "found", "remaining"],
        ["missing", f"{EACH}", f"{EACH}"],
        ["orphan", f"{EACH}", f"{EACH}"],
        ["different", f"{EACH}", f"{EACH}"],
        ["lagging", "0", "0"],
    ]
    assert sum(line.startswith("orphan ") for line in reported.output) == 1 + 20
    assert reported.output[-1] == (
        f"index {name} differs from its table: {3 * EACH} differences; {SONGS:,} items, {SONGS:,} documents. "
        f"To repair them: `dynadex verify {REFERENCE} --repair`."
    )
    assert "altered" not in str(reported.output)
    assert commands.start(*VERIFY, "--settle", "1", "--repair", "--index", name).wait() == 0
    equal = commands.start(*VERIFY)
    assert equal.wait() == 0
    assert equal.output[-1] == f"index {name} equals its table: {SONGS:,} items, {SONGS:,} documents."
    assert any(f"{SONGS:,} of about {SONGS:,} items" in line for line in equal.errors)


def test_interrupted_command_prints_its_progress(filled: Runtime, commands: Commands) -> None:
    plant(filled, some_ids(2 * EACH))
    command = commands.start(*VERIFY, "--settle", "600")
    command.wait_for_line(f"{3 * EACH} to recheck")
    assert command.stop(signal.SIGINT) == 1
    assert command.output == []
    assert any(
        f"stopped before its end: {SONGS:,} of about {SONGS:,} items compared" in line for line in command.errors
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--sample", "0"),
            "Cannot verify a sample of 0 %: it is not a valid percentage. Choose a percentage above 0",
        ),
        (("--index", "nowhere"), "Cannot verify index nowhere: it does not exist. See `dynadex indexes`"),
        ((), "Cannot find the index behind alias"),
    ],
)
def test_error_is_one_line(
    make_scene: SceneMaker, commands: Commands, arguments: tuple[str, ...], message: str
) -> None:
    scene = make_scene(f"verify-wrong{'-'.join(arguments)}".replace("--", "-"))
    if not scene.name.endswith("0"):
        scene.create_table()
    command = commands.start(*VERIFY, *arguments)
    assert command.wait() == 1
    assert command.output == []
    assert len(command.errors) == 1
    assert command.errors[0].startswith(f"dynadex: {message}"), command.errors


def test_all_songs_are_verified(make_scene: SceneMaker) -> None:
    scene = make_scene("verify-all")
    scene.create_table()
    songs: list[dict[str, Any]] = list(lessons())
    scene.load(songs)
    runtime = connect(scene.sync, scene.settings)
    runtime.ensure_index()
    assert run_slice(runtime, Slice(), float("inf")).done
    verified, differences = run(runtime)
    assert (verified.items, verified.documents, differences) == (len(songs), len(songs), [])
