"""A refill, by the Lambda handler's slices and by the command: everything loaded, ghosts gone, stale no longer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynadex import Sync, clients
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.index.bulk import External, Write
from dynadex.local.demo import create_table
from dynadex.local.stack import LocalStack
from dynadex.run.refill import Slice, refill_all, run_slice
from dynadex.run.wiring import Runtime, connect
from dynadex.settings import Settings

SONGS = 3_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def settings(stack: LocalStack, tmp_path: Path) -> Settings:
    return Settings(
        dynamodb_url=stack.endpoints.dynamodb,
        opensearch_url=stack.endpoints.opensearch,
        dead_letters=f"file:{tmp_path / 'parked.jsonl'}",
    )


@pytest.fixture
def sync(request: pytest.FixtureRequest) -> Sync:
    name = request.node.name.replace("_", "-")[-60:].strip("-")
    return Sync(table=name, index=name, mappings={"properties": {"title": {"type": "text"}}})


@pytest.fixture
def filled(sync: Sync, settings: Settings) -> Runtime:
    """A table of songs, and no index yet."""
    dynamodb = clients.dynamodb(settings)
    create_table(dynamodb, sync.table)
    load(dynamodb, sync.table, songs(), lambda _: None)
    return connect(sync, settings)


def songs() -> Iterator[dict[str, Any]]:
    """Songs with enough text that they fill more than one page of a scan, which ends at 1 MB."""
    return ({**lesson, "lesson": "Play it slowly. " * 50} for lesson in lessons(SONGS))


def documents(runtime: Runtime) -> dict[str, Any]:
    [index] = runtime.index.indexes_behind(f"{runtime.sync.index}-sync")
    runtime.index.refresh(index)
    ids = [identity for page in runtime.index.versions(index) for identity, _ in page]
    found = runtime.index.get_many(index, ids)
    return {identity: one.source for identity, one in zip(ids, found, strict=True) if one}


def expected() -> dict[str, Any]:
    return {song["id"]: song for song in songs()}


def test_the_handler_answers_with_the_next_slice_until_all_is_loaded(
    filled: Runtime, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", stack.endpoints.opensearch)
    monkeypatch.setenv("DYNADEX_DYNAMODB_URL", stack.endpoints.dynamodb)
    event: dict[str, Any] = {}
    answers = []
    while True:
        # As Step Functions hands it on: JSON, and nothing but JSON.
        event = json.loads(json.dumps(filled.sync.refill(event, None)))
        answers.append(event)
        if not event:
            break
        assert set(event) == {"LastEvaluatedKey"}
    assert answers[-1] == {}
    assert documents(filled) == expected()


def test_slices_without_any_time_still_get_on_and_end(filled: Runtime) -> None:
    filled.ensure_index()
    position, slices = Slice(), 0
    while not position.done:
        event = json.loads(json.dumps(position.as_event()))
        position = run_slice(filled, Slice.from_event(event), stop_at=filled.clock.monotonic())
        slices += 1
    assert slices > 1
    assert position.as_event() == {}
    assert documents(filled) == expected()


def test_segments_together_scan_every_item(filled: Runtime) -> None:
    filled.ensure_index()
    for segment in range(3):
        event: dict[str, Any] = {"Segment": segment, "TotalSegments": 3, "Note": "rides along"}
        while True:
            event = run_slice(filled, Slice.from_event(event), filled.clock.monotonic()).as_event()
            if not event:
                break
            assert (event["Segment"], event["TotalSegments"], event["Note"]) == (segment, 3, "rides along")
    assert documents(filled) == expected()


def test_a_refill_deletes_ghosts_and_ends_staleness(filled: Runtime, settings: Settings) -> None:
    name, _ = filled.ensure_index()
    ghosts = [Write(f"ghost-{number}", b'{"title":"gone"}', External(1_000)) for number in range(50)]
    filled.writer.write(name, ghosts, filled.clock.monotonic() + 10)
    filled.checkpoints().mark_stale("for this test")
    said: list[str] = []
    refill_all(filled.sync, settings, threading.Event(), said.append)
    assert documents(filled) == expected()
    assert filled.checkpoints().stale() is None
    assert any("50 deleted" in line for line in said)
    assert said[-1] == "refill complete"


def test_a_stopped_refill_says_so_and_can_be_run_again(filled: Runtime, settings: Settings) -> None:
    stop = threading.Event()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "items scanned" in line:
            stop.set()

    refill_all(filled.sync, settings, stop, say)
    assert "run it again" in said[-1]
    assert len(documents(filled)) < SONGS
    refill_all(filled.sync, settings, threading.Event(), said.append)
    assert documents(filled) == expected()


def test_items_that_are_not_indexed_or_refused_do_not_stop_it(sync: Sync, settings: Settings) -> None:
    dynamodb = clients.dynamodb(settings)
    create_table(dynamodb, sync.table)
    items: list[dict[str, Any]] = [{"id": f"bad-{n}", "title": {"not": "text"}} for n in range(5)]
    items += [{"id": f"hidden-{n}"} for n in range(40)] + [{"id": "good", "title": "fine"}]
    load(dynamodb, sync.table, items, lambda _: None)
    chosen = Sync(table=sync.table, index=sync.index, mappings=sync.mappings, document=with_title)
    total = refill_all(chosen, settings, threading.Event(), lambda _: None)
    assert (total.applied, total.parked, total.skipped) == (41, 5, 40)
    runtime = connect(chosen, settings)
    assert documents(runtime) == {"good": {"id": "good", "title": "fine"}}
    parked = [one.letter.id for batch in runtime.dead_letters.parked() for one in batch]
    assert sorted(parked) == [f"bad-{n}" for n in range(5)]


def with_title(item: dict[str, Any]) -> dict[str, Any] | None:
    return item if "title" in item else None


def test_an_empty_table_is_refilled_at_once(sync: Sync, settings: Settings) -> None:
    create_table(clients.dynamodb(settings), sync.table)
    refill_all(sync, settings, threading.Event(), lambda _: None)
    assert documents(connect(sync, settings)) == {}
