"""A backfill from an export restores no item that was deleted since, and loses no change since."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynadex import clients
from dynadex.clock import StoppableClock, Stopping
from dynadex.demo.songs import lessons
from dynadex.errors import SourceError
from dynadex.local.stack import LocalStack
from dynadex.refill.refill import Refilled, RefillOptions, refill
from dynadex.refill.segments import RefillProgress
from dynadex.runtime import Runtime, connect
from dynadex.source.table_scan import TableScan
from tests.process.export_writer import change, write_export
from tests.process.scene import Scene
from tests.waiting import let_pass

SONGS = 1_200
HOUR_US = 3_600_000_000
DELETED, CHANGED, BACK = range(0, 40), range(40, 80), range(80, 120)


@pytest.fixture
def scene(local_stack: LocalStack, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    name = request.node.name.replace("_", "-")[-60:].strip("-")
    made = Scene(tmp_path, name, local_stack.endpoints.dynamodb, local_stack.endpoints.opensearch)
    made.create_table()
    yield made
    made.close()


@pytest.fixture
def exported(scene: Scene, tmp_path: Path) -> Path:
    """An export of the table, which has changed since."""
    songs = list(lessons(SONGS))
    scene.load(songs)
    runtime = connect(scene.sync, scene.settings)
    folder = write_export(tmp_path, scene.name, list(scene.items().values()), runtime.clock.now_us(), files=5)
    let_pass(2.5)
    change(scene, songs, DELETED, CHANGED, BACK)
    return folder


def load(runtime: Runtime, where: object) -> Refilled:
    options = RefillOptions(segments=2, from_export=str(where))
    return refill(runtime, options, threading.Event())


@pytest.fixture
def runtime(scene: Scene) -> Runtime:
    return connect(scene.sync, replace(scene.settings, refill_page_size=100))


def test_new_index_equals_the_current_table(
    scene: Scene, runtime: Runtime, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_scan(*_: Any) -> Any:
        raise AssertionError("the table was scanned")

    with monkeypatch.context() as patch:
        patch.setattr(TableScan, "page", no_scan)
        done = load(runtime, exported)
    assert done.progress.items == SONGS
    assert scene.differences() == []


def test_deleted_items_are_restored_without_a_replay_of_the_stream(
    scene: Scene, runtime: Runtime, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shows that the other tests depend on the replay."""
    monkeypatch.setattr("dynadex.refill.replay._read", lambda *_: iter(()))
    load(runtime, exported)
    assert len(scene.differences()) == len([*DELETED, *CHANGED, *BACK, "new"])


def test_orphans_from_before_the_export_are_swept(scene: Scene, runtime: Runtime, exported: Path) -> None:
    name, _ = runtime.ensure_index()
    scene.opensearch.index(index=name, id="orphan", body={"title": "deleted"})
    assert load(runtime, exported).swept.deleted == 1
    assert scene.differences() == []


def test_stopped_backfill_from_an_export_resumes(scene: Scene, runtime: Runtime, exported: Path) -> None:
    stop = threading.Event()
    options = RefillOptions(segments=2, from_export=str(exported))

    def on_progress(now: RefillProgress) -> None:
        if now.items >= 300:
            stop.set()

    stoppable = connect(scene.sync, runtime.settings, StoppableClock(stop))
    with pytest.raises(Stopping):
        refill(stoppable, options, stop, on_progress)
    seen: list[int] = []
    again = replace(options, resume=True)
    done = refill(runtime, again, threading.Event(), lambda now: seen.append(now.items))
    assert 300 <= seen[0] < SONGS
    assert done.progress.items == SONGS
    assert scene.differences() == []


def test_export_is_read_from_a_bucket(
    scene: Scene, runtime: Runtime, exported: Path, tmp_path: Path, logged: list[str]
) -> None:
    s3 = clients.s3(scene.settings)
    s3.create_bucket(Bucket="exports")
    for path in exported.rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), "exports", f"mine/{path.relative_to(tmp_path)}")
    load(runtime, "s3://exports/mine")
    assert any("export s3://exports/mine/AWSDynamoDB/" in line for line in logged)
    assert scene.differences() == []
    for location, reason in (("s3://exports/none", "it contains no export"), ("s3://missing", "NoSuchBucket")):
        with pytest.raises(SourceError, match=reason):
            load(runtime, location)


def test_old_export_is_rejected_before_any_write(scene: Scene, runtime: Runtime, tmp_path: Path) -> None:
    old = write_export(tmp_path, scene.name, [], runtime.clock.now_us() - 25 * HOUR_US)
    with pytest.raises(SourceError, match="25 hours old"):
        load(runtime, old)
    assert runtime.index.indexes_behind(scene.name) == []
