"""Rebuild, rollback and retire as a user runs them, including failures and interruptions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dynadex import Sync, clients
from dynadex.aws.steps import stream
from dynadex.clock import StoppableClock, Stopping
from dynadex.demo.demo import create_table
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.errors import DynadexError, SearchError
from dynadex.index.aliases import searched_index
from dynadex.index.lifecycle import physical_indexes, retire, roll_back
from dynadex.local.stack import LocalStack
from dynadex.refill import plan as plans
from dynadex.refill.rebuild import RebuildOptions, Rebuilt, rebuild
from dynadex.refill.refill import RefillOptions, refill
from dynadex.refill.saved_plan import SavedPlan
from dynadex.refill.segments import RefillProgress
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.state.last_runs import LastRuns
from tests.process.conftest import SceneMaker
from tests.process.processes import Commands
from tests.process.scene import REFERENCE

SONGS = 300
TEXT: dict[str, Any] = {"properties": {"title": {"type": "text"}}}
KEYWORD: dict[str, Any] = {"properties": {"title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}}
NUMBER: dict[str, Any] = {"properties": {"title": {"type": "integer"}}}


@dataclass
class Library:
    """A table of songs, an index of it, and declarations that change."""

    name: str
    settings: RuntimeSettings

    def runtime(self, mappings: dict[str, Any], stop: threading.Event | None = None, **more: Any) -> Runtime:
        sync = Sync(table=self.name, index=self.name, mappings=mappings, **more)
        return connect(sync, self.settings, StoppableClock(stop) if stop else None)

    def rebuild(self, mappings: dict[str, Any], **options: Any) -> Rebuilt:
        resume = RefillOptions(resume=options.pop("resume", False))
        return rebuild(self.runtime(mappings), RebuildOptions(resume, **options), threading.Event())

    def roles(self) -> list[str]:
        return [index.role for index in physical_indexes(self.runtime(TEXT).index, self.name)]


@pytest.fixture
def library(
    local_stack: LocalStack, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Library]:
    """A filled index. The wait for late writers is skipped, because no writer runs."""
    monkeypatch.setattr(plans, "fence_seconds", lambda *_: 0)
    endpoints = local_stack.endpoints
    made = Library(
        request.node.name.replace("_", "-")[-60:].strip("-"),
        RuntimeSettings(
            dynamodb_url=endpoints.dynamodb,
            opensearch_url=endpoints.opensearch,
            dead_letters=f"file:{tmp_path / 'dead-letters.jsonl'}",
        ),
    )
    dynamodb = clients.dynamodb(made.settings)
    create_table(dynamodb, made.name)
    load(dynamodb, made.name, lessons(SONGS), lambda _: None)
    refill(made.runtime(TEXT), RefillOptions(), threading.Event())
    yield made
    dynamodb.close()


def test_new_mapping_is_promoted_and_rolled_back(library: Library) -> None:
    cluster = library.runtime(TEXT).index
    old = searched_index(cluster, library.name)
    done = library.rebuild(KEYWORD)
    assert searched_index(cluster, library.name) == done.name != old
    assert "raw" in cluster.describe(done.name)["mappings"]["properties"]["title"]["fields"]
    assert cluster.count(done.name) == SONGS
    assert done.comparison is not None
    assert str(done.comparison).endswith(f"all {SONGS} items compared: equal")
    assert library.roles() == ["kept for rollback", "searched"]
    settings = cluster.describe(done.name)["settings"]["index"]
    assert settings.get("refresh_interval") != "-1"
    assert roll_back(cluster, library.name) == (done.name, old)
    last = LastRuns(library.runtime(TEXT).state()).last("rebuild")
    assert last is not None
    assert last["items"] == SONGS


def test_index_that_rejects_documents_of_the_old_one_is_not_promoted(library: Library) -> None:
    cluster = library.runtime(TEXT).index
    old = searched_index(cluster, library.name)
    with pytest.raises(SearchError, match=rf"it is worse than the one in use: 0 documents, {SONGS}.*{SONGS} missing"):
        library.rebuild(NUMBER)
    assert searched_index(cluster, library.name) == old
    assert library.roles() == ["searched", "being built"]
    with pytest.raises(SearchError, match="another rebuild, running or abandoned"):
        library.rebuild(KEYWORD)
    with pytest.raises(SearchError, match="it is worse"):
        library.rebuild(NUMBER, resume=True)
    assert library.rebuild(NUMBER, resume=True, force=True).name != old
    assert roll_back(cluster, library.name)[1] == old
    assert cluster.count(library.name) == SONGS


def test_document_that_no_index_accepts_does_not_make_the_new_index_worse(library: Library) -> None:
    dynamodb = clients.dynamodb(library.settings)
    dynamodb.put_item(TableName=library.name, Item={"id": {"S": "rejected"}, "title": {"M": {"a": {"N": "1"}}}})
    done = library.rebuild(KEYWORD, verify=True)
    assert done.comparison is not None
    assert not done.comparison.worse
    dead_lettered = [stored.letter.id for batch in library.runtime(TEXT).dead_letters.batches() for stored in batch]
    assert dead_lettered == ["rejected"]


def test_smaller_index_of_a_document_function_that_skips_items_is_promoted(library: Library) -> None:
    def document(item: dict[str, Any]) -> dict[str, Any] | None:
        return item if str(item["title"]).startswith("The") else None

    runtime = library.runtime(TEXT, document=document)
    done = rebuild(runtime, RebuildOptions(), threading.Event())
    assert 0 < runtime.index.count(done.name) < SONGS
    assert done.comparison is not None
    assert done.comparison.verified.items == SONGS


def test_stopped_rebuild_resumes_with_the_same_index(library: Library, logged: list[str]) -> None:
    stop = threading.Event()
    runtime = library.runtime(KEYWORD, stop)

    def on_progress(_: RefillProgress) -> None:
        stop.set()

    with pytest.raises(Stopping):
        rebuild(runtime, RebuildOptions(), stop, on_progress)
    [_, building] = physical_indexes(runtime.index, library.name)
    assert building.building
    assert library.rebuild(KEYWORD, resume=True).name == building.name
    assert f"resuming with index {building.name}" in logged


def test_rebuild_that_ended_before_its_plan_was_saved_resumes_with_its_index(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SavedPlan, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr(SavedPlan, "begin", begin_without_save)
        with pytest.raises(KeyboardInterrupt):
            library.rebuild(KEYWORD)
    building = physical_indexes(library.runtime(KEYWORD).index, library.name)[-1]
    assert building.building
    assert library.rebuild(KEYWORD, resume=True).name == building.name


def begin_without_save(saved: SavedPlan, plan: Any, extra: Any) -> None:
    saved._state.clear()
    saved._state.save_plan({**plan.as_event(), "Source": saved._source, **extra})


def test_stale_index_must_be_backfilled_before_a_rebuild(library: Library) -> None:
    library.runtime(TEXT).checkpoints().mark_stale("for this test")
    with pytest.raises(DynadexError, match=r"it is stale: for this test\. Run `dynadex refill` first"):
        library.rebuild(KEYWORD)


def test_writers_continue_after_an_index_is_retired(library: Library) -> None:
    runtime = library.runtime(TEXT)
    old = searched_index(runtime.index, library.name)
    new = library.rebuild(TEXT).name
    runtime = library.runtime(TEXT)
    assert list(runtime.alias.current()) == [old, new]
    retire(runtime.index, library.name, old)
    # The list of indexes of the writer is some seconds old; it is refreshed when the write is rejected.
    song = next(iter(lessons(1)))
    event = {"Records": [_record(song["id"])]}
    with pytest.raises(SearchError, match="the index was retired"):
        stream(runtime, event, None)
    assert stream(runtime, event, None)[0] == {"batchItemFailures": []}
    assert runtime.index.get_many(new, [song["id"]]) == [None]


def _record(identity: str) -> dict[str, Any]:
    return {
        "eventName": "REMOVE",
        "dynamodb": {
            "ApproximateCreationDateTime": 4_000_000_000,
            "Keys": {"id": {"S": identity}},
            "SequenceNumber": "1",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def declaration(name: str, mappings: dict[str, Any]) -> str:
    return f"from dynadex import Sync\nsync = Sync(table={name!r}, index={name!r}, mappings={mappings!r})\n"


def test_rebuild_rollback_and_retire_with_a_running_worker(make_scene: SceneMaker, commands: Commands) -> None:
    scene = make_scene("rebuilt")
    scene.create_table()
    scene.load(lessons(SONGS))
    scene.declare(declaration(scene.name, TEXT))
    worker = commands.start("run", REFERENCE)
    scene.await_count(SONGS)
    assert worker.stop() == 0

    scene.declare(declaration(scene.name, KEYWORD))
    rejected = commands.start("run", REFERENCE)
    assert rejected.wait() == 1
    rejected.wait_for_line("it contradicts the declaration: .*create an index that matches it with `dynadex rebuild`")

    fast = {"DYNADEX_MAX_BATCH_SECONDS": "1"}
    rebuilding = commands.start("rebuild", REFERENCE, **fast)
    rebuilding.wait_for_line("created index rebuilt-")
    # From here on, a worker with the new declaration writes to both indexes.
    worker = commands.start("run", REFERENCE)
    worker.wait_for_line("reading the stream as worker")
    scene.put({"id": "new", "title": "While it was built"})
    assert rebuilding.wait() == 0, str(rebuilding)
    rebuilding.wait_for_line("searches use rebuilt-.*")
    rebuilding.wait_for_line("is kept: `dynadex rollback tests_sync:sync` returns")
    scene.await_count(SONGS + 1)

    listed = commands.start("indexes", REFERENCE, "--json")
    assert listed.wait() == 0
    old, new = (json.loads(line) for line in listed.output)
    assert (old["role"], new["role"]) == ("kept for rollback", "searched")
    assert old["documents"] == new["documents"] == SONGS + 1
    shown = commands.start("indexes", REFERENCE)
    assert shown.wait() == 0
    assert [line.split()[0] for line in shown.output] == [old["index"], new["index"]]

    assert commands.start("rollback", REFERENCE).wait() == 0
    assert scene.differences() == []
    assert commands.start("rollback", REFERENCE, "--to", new["index"]).wait() == 0
    unasked = commands.start("retire", REFERENCE)
    assert unasked.wait() == 1
    unasked.wait_for_line(r"standard input is not a terminal\. To confirm, pass --yes\.")
    retired = commands.start("retire", REFERENCE, "--yes")
    assert retired.wait() == 0
    retired.wait_for_line(f"deleted {old['index']}")
    scene.put({"id": "newer", "title": "After the old one was retired"})
    scene.await_count(SONGS + 2)
    assert worker.is_alive(), str(worker)
    assert worker.stop() == 0
    nothing = commands.start("rollback", REFERENCE)
    assert nothing.wait() == 1
    nothing.wait_for_line("Cannot roll back rebuilt: no other index is kept")
