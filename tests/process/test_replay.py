"""Reading the stream again after an export was loaded: what was deleted since, and forgotten, does not stay back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynadex import clients
from dynadex.clock import StoppableClock, Stopping
from dynadex.demo.songs import lessons
from dynadex.errors import SearchUnavailable, SourceError
from dynadex.index.apply_records import apply_records
from dynadex.index.results import ApplyResult
from dynadex.local.stack import LocalStack
from dynadex.refill.replay import catch_up, check_stream
from dynadex.runtime import Runtime, connect
from dynadex.source.export import Export
from dynadex.source.shard_reader import ShardReader, list_shards
from tests.process.conftest import SceneMaker
from tests.process.export_writer import change, write_export
from tests.process.relay import relay_to
from tests.process.scene import Scene

SONGS = 300
DELETED, CHANGED, BACK = range(0, 20), range(20, 40), range(40, 60)


@pytest.fixture
def scene(make_scene: SceneMaker, request: pytest.FixtureRequest) -> Scene:
    made = make_scene(request.node.name.replace("_", "-")[-60:].strip("-"))
    made.create_table()
    return made


@pytest.fixture
def runtime(scene: Scene) -> Runtime:
    return connect(scene.sync, scene.settings)


@pytest.fixture
def export(scene: Scene, runtime: Runtime, tmp_path: Path) -> Export:
    """An export of the table as it was, and a table that changed since."""
    songs = list(lessons(SONGS))
    scene.load(songs)
    folder = write_export(tmp_path, scene.name, list(scene.items().values()), runtime.clock.now_us(), files=4)
    runtime.clock.sleep(2.5)
    change(scene, songs, DELETED, CHANGED, BACK)
    return Export.open(str(folder), lambda: clients.s3(scene.settings))


def load(runtime: Runtime, export: Export, segments: int = 2) -> None:
    """Every item of the export, as a refill writes it."""
    indexes = runtime.alias.resolve()
    for segment in range(segments):
        with closing(export.pages(segment, segments)) as pages:
            position: Any = None
            while True:
                page = pages.page(position, 50)
                deadline = runtime.clock.monotonic() + 60
                assert not runtime.indexer.load(
                    runtime.indexer.prepare_items(page.items, page.requested_at_us), deadline, indexes
                ).failed
                position = page.last_evaluated_key
                if position is None:
                    break


def stream_records(runtime: Runtime) -> Iterator[Any]:
    """What a worker would have read by now."""
    streams, arn = clients.dynamodb_streams(runtime.settings), runtime.description.usable_stream()
    for shard in list_shards(streams, arn):
        reader = ShardReader(streams, arn, shard.shard_id, None)
        while records := reader.read(1000).records:
            yield records


def forget_tombstones(scene: Scene, runtime: Runtime) -> None:
    [index] = runtime.alias.resolve()
    scene.opensearch.indices.put_settings(index=index, body={"index": {"gc_deletes": "0s"}})
    runtime.clock.sleep(1)


def catch_up_since(runtime: Runtime, export: Export) -> ApplyResult:
    return catch_up(runtime, export.export_time_us, lambda _: None)


def test_a_delete_that_was_applied_and_forgotten_before_the_load(
    scene: Scene, runtime: Runtime, export: Export
) -> None:
    runtime.ensure_index()
    for records in stream_records(runtime):
        assert not apply_records(runtime.indexer, records, runtime.clock.monotonic() + 60).failed
    assert scene.differences() == []
    forget_tombstones(scene, runtime)
    load(runtime, export)
    came_back = {line.split(":")[0] for line in scene.differences()}
    assert len(came_back) == len(DELETED)
    assert came_back == {song["id"] for song in list(lessons(SONGS))[: len(DELETED)]}
    catch_up_since(runtime, export)
    assert scene.differences() == []


def test_an_index_that_nothing_was_ever_applied_to(scene: Scene, runtime: Runtime, export: Export) -> None:
    runtime.ensure_index()
    load(runtime, export)
    assert len(scene.differences()) == len([*DELETED, *CHANGED, *BACK, "new"])
    told: list[int] = []
    done = catch_up(runtime, export.export_time_us, lambda tally: told.append(tally.applied))
    assert scene.differences() == []
    # What was written just before the export ties with it, and is looked at once more.
    assert done.applied == told[-1] >= len([*DELETED, *CHANGED, *BACK, "new"])
    # Where a worker stands is neither asked nor changed.
    assert f"{scene.name}-dynadex" not in scene.dynamodb.list_tables()["TableNames"]
    # Nor does it matter how often.
    catch_up_since(runtime, export)
    assert scene.differences() == []


def test_a_cluster_that_comes_back_is_waited_for(
    scene: Scene, runtime: Runtime, export: Export, local_stack: LocalStack
) -> None:
    runtime.ensure_index()
    load(runtime, export)
    with relay_to(local_stack.endpoints.opensearch) as relay:
        told: list[str] = []

        def on_unavailable(error: SearchUnavailable) -> None:
            told.append(str(error))
            if len(told) == 3:
                relay.restore()

        behind = replace(scene.settings, opensearch_url=relay.url)
        far = connect(scene.sync, behind, on_unavailable=on_unavailable)
        far.alias.resolve()
        relay.cut()
        catch_up_since(far, export)
    assert len(told) == 3
    assert scene.differences() == []


def test_a_stop_is_heeded_and_it_can_be_done_again(scene: Scene, runtime: Runtime, export: Export) -> None:
    runtime.ensure_index()
    load(runtime, export)
    stop = threading.Event()
    stoppable = connect(scene.sync, runtime.settings, StoppableClock(stop))
    with pytest.raises(Stopping):
        catch_up(stoppable, export.export_time_us, lambda _: stop.set())
    catch_up_since(runtime, export)
    assert scene.differences() == []


def test_a_table_that_was_made_anew_since_the_export_has_another_stream(
    scene: Scene, runtime: Runtime, tmp_path: Path
) -> None:
    runtime.ensure_index()
    old = write_export(tmp_path, scene.name, [{"id": {"S": "old"}}], runtime.clock.now_us())
    export = Export.open(str(old), lambda: clients.s3(scene.settings))
    check_stream(runtime, export.export_time_us)
    scene.dynamodb.delete_table(TableName=scene.name)
    # The local stack tells whole seconds.
    runtime.clock.sleep(1.1)
    scene.create_table()
    anew = connect(scene.sync, scene.settings)
    for call in (lambda: check_stream(anew, export.export_time_us), lambda: catch_up_since(anew, export)):
        with pytest.raises(SourceError, match="the table's stream began only at"):
            call()


@pytest.mark.parametrize("view", [None, "KEYS_ONLY"])
def test_a_table_without_a_usable_stream_is_refused(make_scene: SceneMaker, view: str | None) -> None:
    scene = make_scene(f"catch-up-without-stream-{view or 'none'}".lower().replace("_", "-"))
    scene.create_table(view)
    runtime = connect(scene.sync, replace(scene.settings, refill_page_size=10))
    with pytest.raises(SourceError, match="Cannot follow the stream of table"):
        catch_up(runtime, runtime.clock.now_us(), lambda _: None)
