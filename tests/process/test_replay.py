"""Replay of the stream after a load from an export: no item that was deleted since is restored."""

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
from tests.waiting import HANG_SECONDS, let_pass

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
    """An export of the table, which has changed since."""
    songs = list(lessons(SONGS))
    scene.load(songs)
    folder = write_export(tmp_path, scene.name, list(scene.items().values()), runtime.clock.now_us(), files=4)
    let_pass(2.5)
    change(scene, songs, DELETED, CHANGED, BACK)
    return Export.open(str(folder), lambda: clients.s3(scene.settings))


def load(runtime: Runtime, export: Export, segments: int = 2) -> None:
    """Write every item of the export as a backfill does."""
    indexes = runtime.alias.resolve()
    for segment in range(segments):
        with closing(export.pages(segment, segments)) as pages:
            position: Any = None
            while True:
                page = pages.page(position, 50)
                deadline = runtime.clock.monotonic() + HANG_SECONDS
                assert not runtime.indexer.load(
                    runtime.indexer.prepare_items(page.items, page.requested_at_us), deadline, indexes
                ).failed
                position = page.last_evaluated_key
                if position is None:
                    break


def stream_records(runtime: Runtime) -> Iterator[Any]:
    """Yield the batches that a worker would have read already."""
    streams, arn = clients.dynamodb_streams(runtime.settings), runtime.description.usable_stream()
    for shard in list_shards(streams, arn):
        reader = ShardReader(streams, arn, shard.shard_id, None)
        while records := reader.read(1000).records:
            yield records


def expire_tombstones(scene: Scene, runtime: Runtime) -> None:
    [index] = runtime.alias.resolve()
    scene.opensearch.indices.put_settings(index=index, body={"index": {"gc_deletes": "0s"}})
    let_pass(1)


def catch_up_since(runtime: Runtime, export: Export) -> ApplyResult:
    return catch_up(runtime, export.export_time_us, lambda _: None)


def test_delete_whose_tombstone_expired_before_the_load_is_replayed(
    scene: Scene, runtime: Runtime, export: Export
) -> None:
    runtime.ensure_index()
    for records in stream_records(runtime):
        assert not apply_records(runtime.indexer, records, runtime.clock.monotonic() + HANG_SECONDS).failed
    assert scene.differences() == []
    expire_tombstones(scene, runtime)
    load(runtime, export)
    restored = {line.split(":")[0] for line in scene.differences()}
    assert len(restored) == len(DELETED)
    assert restored == {song["id"] for song in list(lessons(SONGS))[: len(DELETED)]}
    catch_up_since(runtime, export)
    assert scene.differences() == []


def test_new_index_equals_the_table_after_the_replay(scene: Scene, runtime: Runtime, export: Export) -> None:
    runtime.ensure_index()
    load(runtime, export)
    assert len(scene.differences()) == len([*DELETED, *CHANGED, *BACK, "new"])
    reported: list[int] = []
    total = catch_up(runtime, export.export_time_us, lambda result: reported.append(result.applied))
    assert scene.differences() == []
    # Changes just before the export are tied with their items, and are reconciled.
    assert total.applied == reported[-1] >= len([*DELETED, *CHANGED, *BACK, "new"])
    # The position of a worker is neither read nor changed.
    assert f"{scene.name}-dynadex" not in scene.dynamodb.list_tables()["TableNames"]
    # A second replay changes nothing.
    catch_up_since(runtime, export)
    assert scene.differences() == []


def test_replay_waits_for_an_unavailable_cluster(
    scene: Scene, runtime: Runtime, export: Export, local_stack: LocalStack
) -> None:
    runtime.ensure_index()
    load(runtime, export)
    with relay_to(local_stack.endpoints.opensearch) as relay:
        errors: list[str] = []

        def on_unavailable(error: SearchUnavailable) -> None:
            errors.append(str(error))
            if len(errors) == 3:
                relay.restore()

        relayed = connect(scene.sync, replace(scene.settings, opensearch_url=relay.url), on_unavailable=on_unavailable)
        relayed.alias.resolve()
        relay.cut()
        catch_up_since(relayed, export)
    assert len(errors) == 3
    assert scene.differences() == []


def test_stopped_replay_can_be_repeated(scene: Scene, runtime: Runtime, export: Export) -> None:
    runtime.ensure_index()
    load(runtime, export)
    stop = threading.Event()
    stoppable = connect(scene.sync, runtime.settings, StoppableClock(stop))
    with pytest.raises(Stopping):
        catch_up(stoppable, export.export_time_us, lambda _: stop.set())
    catch_up_since(runtime, export)
    assert scene.differences() == []


def test_export_of_a_table_that_was_recreated_since_is_rejected(scene: Scene, runtime: Runtime, tmp_path: Path) -> None:
    runtime.ensure_index()
    old = write_export(tmp_path, scene.name, [{"id": {"S": "old"}}], runtime.clock.now_us())
    export = Export.open(str(old), lambda: clients.s3(scene.settings))
    check_stream(runtime, export.export_time_us)
    scene.dynamodb.delete_table(TableName=scene.name)
    # The local stack reports whole seconds.
    let_pass(1.1)
    scene.create_table()
    recreated = connect(scene.sync, scene.settings)
    for call in (lambda: check_stream(recreated, export.export_time_us), lambda: catch_up_since(recreated, export)):
        with pytest.raises(SourceError, match="the table's stream began only at"):
            call()


@pytest.mark.parametrize("view", [None, "KEYS_ONLY"])
def test_table_without_a_usable_stream_is_rejected(make_scene: SceneMaker, view: str | None) -> None:
    scene = make_scene(f"catch-up-without-stream-{view or 'none'}".lower().replace("_", "-"))
    scene.create_table(view)
    runtime = connect(scene.sync, replace(scene.settings, refill_page_size=10))
    with pytest.raises(SourceError, match="Cannot follow the stream of table"):
        catch_up(runtime, runtime.clock.now_us(), lambda _: None)
