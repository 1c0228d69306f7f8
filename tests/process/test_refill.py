"""A backfill, in slices of the Lambda handler and by the command: it loads every item, and deletes orphans."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynadex import Sync, clients
from dynadex.aws import refill_handler
from dynadex.clock import StoppableClock, Stopping
from dynadex.demo.demo import create_table
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.errors import SearchError, SourceUnavailable
from dynadex.index.bulk import External, Write
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.refill.plan import prepare, suitable_segments
from dynadex.refill.refill import Refilled, RefillOptions, RefillRun, refill
from dynadex.refill.segments import RefillProgress, ignore_progress
from dynadex.refill.slices import Slice, run_slice
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.source.table_scan import Page, TableScan
from dynadex.state.last_runs import LastRuns
from dynadex.state.refill_state import RefillState
from tests.waiting import HANG_SECONDS, let_pass

SONGS = 1_500


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack"), engine=Engine.MEMORY) as running:
        yield running


@pytest.fixture
def settings(stack: LocalStack, tmp_path: Path) -> RuntimeSettings:
    return RuntimeSettings(
        dynamodb_url=stack.endpoints.dynamodb,
        opensearch_url=stack.endpoints.opensearch,
        dead_letters=f"file:{tmp_path / 'dead-letters.jsonl'}",
    )


@pytest.fixture
def sync(request: pytest.FixtureRequest) -> Sync:
    name = request.node.name.replace("_", "-")[-60:].strip("-")
    return Sync(table=name, index=name, mappings={"properties": {"title": {"type": "text"}}})


@pytest.fixture
def filled(sync: Sync, settings: RuntimeSettings) -> Runtime:
    """A table of songs without an index."""
    dynamodb = clients.dynamodb(settings)
    create_table(dynamodb, sync.table)
    load(dynamodb, sync.table, songs(), lambda _: None)
    return connect(sync, settings)


def songs() -> Iterator[dict[str, Any]]:
    """Songs that fill more than one page of a scan, which ends at 1 MB."""
    return ({**lesson, "lesson": "Play it slowly. " * 100} for lesson in lessons(SONGS))


def documents(runtime: Runtime) -> dict[str, Any]:
    [index] = runtime.index.indexes_behind(f"{runtime.sync.index}-sync")
    runtime.index.refresh(index)
    ids = [identity for page in runtime.index.versions(index) for identity, _ in page]
    stored = runtime.index.get_many(index, ids)
    return {identity: document.source for identity, document in zip(ids, stored, strict=True) if document}


def expected() -> dict[str, Any]:
    return {song["id"]: song for song in songs()}


def test_handler_returns_the_next_slice_until_every_item_is_loaded(
    filled: Runtime, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", stack.endpoints.opensearch)
    monkeypatch.setenv("DYNADEX_DYNAMODB_URL", stack.endpoints.dynamodb)
    handler = refill_handler(filled.sync)
    event: dict[str, Any] = {}
    responses = []
    while True:
        # Step Functions passes events as JSON.
        event = json.loads(json.dumps(handler(event, None)))
        responses.append(event)
        if not event:
            break
        assert set(event) == {"LastEvaluatedKey"}
    assert responses[-1] == {}
    assert documents(filled) == expected()


def test_slices_without_time_make_progress_and_end(filled: Runtime) -> None:
    filled.ensure_index()
    position, slices = Slice(), 0
    while not position.done:
        event = json.loads(json.dumps(position.as_event()))
        position = run_slice(filled, Slice.from_event(event), stop_at=filled.clock.monotonic())
        slices += 1
    assert slices > 1
    assert position.as_event() == {}
    assert documents(filled) == expected()


def test_segments_scan_every_item(filled: Runtime) -> None:
    filled.ensure_index()
    for segment in range(3):
        event: dict[str, Any] = {"Segment": segment, "TotalSegments": 3, "Note": "rides along"}
        while True:
            event = run_slice(filled, Slice.from_event(event), filled.clock.monotonic()).as_event()
            if not event:
                break
            assert (event["Segment"], event["TotalSegments"], event["Note"]) == (segment, 3, "rides along")
    assert documents(filled) == expected()


def run(runtime: Runtime, options: RefillOptions | None = None) -> Refilled:
    """Refill as the command does."""
    return refill(runtime, options or RefillOptions(), threading.Event())


def test_number_of_segments_is_chosen_unless_it_is_an_option(sync: Sync, settings: RuntimeSettings) -> None:
    create_table(clients.dynamodb(settings), sync.table)
    runtime = connect(sync, settings)

    def segments(items: int, options: RefillOptions) -> int:
        known = replace(runtime, description=replace(runtime.description, item_count=items))
        run = RefillRun(known, options, RefillState(known.state()), threading.Event(), ignore_progress)
        return run.choose_segments()

    unknown = segments(0, RefillOptions())
    assert (
        unknown == suitable_segments(None, settings.refill_page_size, runtime.index.processors(runtime.sync.index)) > 1
    )
    assert segments(settings.refill_page_size, RefillOptions()) == 1
    assert segments(settings.refill_page_size + 1, RefillOptions()) == 2
    assert segments(settings.refill_page_size, RefillOptions(segments=3)) == 3


def plant_orphans(runtime: Runtime, count: int) -> None:
    name, _ = runtime.ensure_index()
    orphans = [Write(f"orphan-{number}", b'{"title":"gone"}', External(1_000)) for number in range(count)]
    runtime.writer.write(name, orphans, runtime.clock.monotonic() + HANG_SECONDS)


def test_backfill_deletes_orphans_and_ends_staleness(filled: Runtime, logged: list[str]) -> None:
    plant_orphans(filled, 50)
    filled.checkpoints().mark_stale("for this test")
    done = run(filled)
    assert documents(filled) == expected()
    assert filled.checkpoints().stale() is None
    assert done.swept.deleted == 50
    assert logged[-1] == "the index is no longer stale"
    last = LastRuns(filled.state()).last("refill")
    assert last is not None
    assert (last["items"], last["written"], last["swept"]) == (SONGS, SONGS, 50)


def test_worker_may_start_as_soon_as_the_backfill_of_a_stale_index_has_begun(filled: Runtime) -> None:
    checkpoints = filled.checkpoints()
    checkpoints.mark_stale("for this test")
    checkpoints.follow("arn:of:a:stream:that:was:replaced")
    seen: list[tuple[str | None, str | None]] = []
    on_progress = lambda _: seen.append((checkpoints.unrecovered(), checkpoints.stream()))  # noqa: E731
    refill(filled, RefillOptions(), threading.Event(), on_progress)
    assert set(seen) == {(None, None)}


def test_index_declared_stale_during_a_backfill_stays_stale(filled: Runtime, logged: list[str]) -> None:
    checkpoints = filled.checkpoints()
    refill(filled, RefillOptions(), threading.Event(), lambda _: checkpoints.mark_stale("lost"))
    assert checkpoints.stale() == "lost"
    assert "run the backfill again" in logged[-1]
    # A later backfill reads every item again, so it ends the staleness.
    assert run(filled).progress.items == SONGS
    assert checkpoints.stale() is None


def stopped_after_pages(runtime: Runtime, settings: RuntimeSettings, options: RefillOptions) -> int:
    """Stop a refill after five pages at most; return the number of items that it had loaded."""
    stop = threading.Event()
    pages: list[int] = []

    def on_progress(now: RefillProgress) -> None:
        pages.append(now.items)
        if len(pages) == 6:
            stop.set()

    stoppable = connect(runtime.sync, settings, StoppableClock(stop))
    with pytest.raises(Stopping):
        refill(stoppable, options, stop, on_progress)
    return pages[-1]


def test_stopped_backfill_resumes_at_its_position(filled: Runtime, settings: RuntimeSettings) -> None:
    small = replace(settings, refill_page_size=100)
    plant_orphans(filled, 10)
    before = stopped_after_pages(filled, small, RefillOptions(segments=2))
    assert before < SONGS
    read: list[int] = []
    options = RefillOptions(resume=True)
    done = refill(connect(filled.sync, small), options, threading.Event(), lambda now: read.append(now.items))
    assert documents(filled) == expected()
    assert (done.progress.items, done.swept.deleted) == (SONGS, 10)
    assert done.plan.segments == 2
    # At most the page that was being loaded when it stopped is loaded twice.
    assert read[0] >= before
    assert RefillState(filled.state()).plan() is None


def test_backfill_that_cannot_be_resumed_logs_the_reason_and_starts_over(
    filled: Runtime, settings: RuntimeSettings, logged: list[str]
) -> None:
    small = replace(settings, refill_page_size=100)
    run(filled, RefillOptions(resume=True))
    assert logged[0] == "nothing to resume: starting from the beginning"
    stopped_after_pages(filled, small, RefillOptions())
    logged.clear()
    run(filled)
    assert "--resume would have continued it" in logged[0]
    stopped_after_pages(filled, small, RefillOptions())
    [index] = filled.index.indexes_behind(filled.sync.index)
    filled.index.delete(index)
    logged.clear()
    with pytest.raises(SearchError, match="there is no index behind"):
        run(connect(filled.sync, settings), RefillOptions(resume=True))
    let_pass(1)
    run(connect(filled.sync, settings))
    assert documents(connect(filled.sync, settings)) == expected()


def test_plan_names_the_current_index_not_one_that_was_just_deleted(filled: Runtime) -> None:
    run(filled)
    [old] = filled.alias.current()
    filled.index.delete(old)
    let_pass(1)
    [new] = prepare(filled).indexes
    assert new != old
    run(filled)
    assert documents(filled) == expected()


def test_reads_stay_within_the_read_capacity(filled: Runtime, settings: RuntimeSettings) -> None:
    """DynamoDB Local counts one unit for each page, regardless of its size."""
    small = connect(filled.sync, replace(settings, refill_page_size=100))
    started_at = filled.clock.monotonic()
    capacity = 6.0
    consumed: list[float] = []
    scan = TableScan.page

    def counted(self: TableScan, *arguments: Any) -> Page:
        page = scan(self, *arguments)
        consumed.append(page.consumed_capacity)
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableScan, "page", counted)
        run(small, RefillOptions(read_capacity=capacity))
    seconds = filled.clock.monotonic() - started_at
    assert sum(consumed) >= 2 * capacity
    assert sum(consumed) - max(consumed) <= capacity * seconds
    assert documents(filled) == expected()


def test_items_that_are_not_indexed_or_rejected_do_not_stop_a_backfill(sync: Sync, settings: RuntimeSettings) -> None:
    dynamodb = clients.dynamodb(settings)
    create_table(dynamodb, sync.table)
    items: list[dict[str, Any]] = [{"id": f"bad-{n}", "title": {"not": "text"}} for n in range(5)]
    items += [{"id": f"hidden-{n}"} for n in range(40)] + [{"id": "good", "title": "fine"}]
    load(dynamodb, sync.table, items, lambda _: None)
    chosen = Sync(table=sync.table, index=sync.index, mappings=sync.mappings, document=with_title)
    runtime = connect(chosen, settings)
    total = run(runtime).progress.result
    assert (total.applied, total.dead_lettered, total.not_indexed) == (41, 5, 40)
    assert documents(runtime) == {"good": {"id": "good", "title": "fine"}}
    dead_lettered = [stored.letter.id for batch in runtime.dead_letters.batches() for stored in batch]
    assert sorted(dead_lettered) == [f"bad-{n}" for n in range(5)]


def with_title(item: dict[str, Any]) -> dict[str, Any] | None:
    return item if "title" in item else None


def test_empty_table_is_backfilled(sync: Sync, settings: RuntimeSettings) -> None:
    create_table(clients.dynamodb(settings), sync.table)
    runtime = connect(sync, settings)
    assert run(runtime).progress.items == 0
    assert documents(runtime) == {}


def test_throttled_reads_are_retried(filled: Runtime) -> None:
    filled.ensure_index()
    scan = filled.scan()
    rejections = iter([True, True, False, True])

    class Throttled:
        def page(self, start_key: Any, limit: int | None = None) -> Page:
            if next(rejections, False):
                raise SourceUnavailable("scan table", filled.sync.table, "ProvisionedThroughputExceededException")
            return scan.page(start_key, limit)

        def close(self) -> None:
            scan.close()

    position = run_slice(filled, Slice(), filled.clock.monotonic() + HANG_SECONDS, pages=Throttled())
    assert position.done
    assert documents(filled) == expected()
