"""Verify on a table and an index in memory: the differences that it reports, ignores and repairs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from dynadex import clients
from dynadex.clock import Stopping
from dynadex.document.body import decode, encode
from dynadex.document.identity import document_id
from dynadex.errors import DynadexError, SearchError, SearchUnavailable, SourceUnavailable
from dynadex.verify import compare
from dynadex.verify.fingerprint import Fingerprint
from dynadex.verify.recheck import Bounds, Rechecks
from dynadex.verify.result import Difference, Kind, differing_fields
from dynadex.verify.verify import VerifyOptions, _segments, resolve_index
from tests.unit.verify_stage import COMPOSITE, INDEX, Stage

UNAVAILABLE = SearchUnavailable("list index", INDEX, "503 busy")

MICROSECONDS = 1_000_000
REPAIR = VerifyOptions(repair=True)
LONG = "x" * 600


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """The stages made by a test. Clients are connected to the table of the newest one."""
    made: list[Stage] = []
    monkeypatch.setattr(clients, "dynamodb", lambda _: made[-1].table)
    return made


@pytest.fixture
def stage(stages: list[Stage]) -> Stage:
    stages.append(Stage())
    return stages[-1]


@pytest.fixture
def composite(stages: list[Stage]) -> Stage:
    stages.append(Stage(COMPOSITE))
    return stages[-1]


def test_index_equals_its_table(stage: Stage) -> None:
    for number in range(700):
        stage.song(number)
    stage.song(700, hidden={"BOOL": True})
    stage.song(701, impossible={"BOOL": True})
    verified = stage.verify()
    assert verified.equal
    assert (verified.items, verified.documents) == (702, 700)
    assert (verified.not_indexed, verified.unindexable, verified.in_motion) == (1, 1, 0)
    assert stage.differences == []
    assert stage.index.listed == 1, "without suspects, the index is listed once"
    assert stage.clock.elapsed == 0
    assert stage.progress[-1].total == 702


def test_each_kind_of_difference_is_reported_once_with_its_key_and_fields(stage: Stage) -> None:
    for number in range(300):
        stage.song(number)
    stage.song(300, indexed=False)
    stage.plant("orphan", title="gone")
    stage.song(301, lesson={"M": {"tempo": {"N": "90"}, "text": {"S": "a"}}}, bars={"N": "8"})
    stage.write("song-301", encode({"id": "song-301", "title": "Song 301", "lesson": {"tempo": 80, "text": "a"}}))
    stage.song(302, hidden={"BOOL": True})
    stage.plant("song-302", title="still there")
    stage.song(303, impossible={"BOOL": True})
    stage.plant("song-303", title="still there")
    verified = stage.verify()
    assert verified.differences == {Kind.MISSING: 1, Kind.ORPHAN: 3, Kind.DIFFERENT: 1}
    assert stage.reported() == {
        (Kind.MISSING, "song-300"),
        (Kind.ORPHAN, "orphan"),
        (Kind.ORPHAN, "song-302"),
        (Kind.ORPHAN, "song-303"),
        (Kind.DIFFERENT, "song-301"),
    }
    [different] = [difference for difference in stage.differences if difference.kind is Kind.DIFFERENT]
    assert different == Difference(Kind.DIFFERENT, "song-301", {"id": {"S": "song-301"}}, ("bars", "lesson.tempo"))
    assert not verified.equal
    assert verified.remaining.total() == 5


def test_repair_leaves_no_difference(stage: Stage) -> None:
    for number in range(300):
        stage.song(number, indexed=number % 3 > 0)
    for number in range(100):
        stage.plant(f"orphan-{number}", title="gone")
        stage.write(f"song-{number}", encode({"title": "other"}))
    verified = stage.verify(REPAIR)
    assert verified.equal
    assert verified.repaired.total() == verified.differences.total() == 100 + 100 + 66
    assert all(difference.repaired for difference in stage.differences)
    expected = {i: decode(stage.sync.build(item).body or b"{}") for i, item in stage.table.items().items()}
    assert stage.documents() == expected
    assert stage.verify().differences.total() == 0


def test_item_that_the_index_rejects_is_dead_lettered_without_its_values(stage: Stage) -> None:
    stage.song(1, indexed=False, bars={"S": "not a number"})
    stage.song(2, impossible={"BOOL": True})
    stage.plant("song-2", title="old")
    verified = stage.verify(REPAIR)
    assert verified.equal
    assert verified.unindexable == 2, "each counts once, whether known before the repair or not"
    assert {letter.id for letter in stage.letters} == {"song-1", "song-2"}
    assert stage.documents() == {}
    output = json.dumps([difference.as_json() for difference in stage.differences])
    assert f"dead-lettered in file:{Path.cwd()}/dead-letters" in output
    assert "not a number" not in output
    assert "secret" not in output


def test_change_in_the_stream_is_not_a_difference(stage: Stage) -> None:
    for number in range(10):
        stage.song(number, indexed=False)
        stage.plant(f"leaving-{number}", title="gone soon")
        stage.clock.at(0.3 + 0.5 * number, partial(stage.song, number))
        stage.clock.at(4.0, partial(stage.write, f"leaving-{number}", None))
    verified = stage.verify()
    assert verified.differences.total() == 0
    assert stage.documents().keys() == {f"song-{number}" for number in range(10)}


def test_difference_is_reported_after_the_stream_is_applied(stage: Stage) -> None:
    stage.song(1, indexed=False)
    stage.song(2, indexed=False)
    stage.applied_us = stage.clock.now_us()

    def arrive() -> None:
        stage.song(1)
        stage.applied_us = stage.clock.now_us()

    stage.clock.at(60.0, arrive)
    assert stage.verify().differences == {Kind.MISSING: 1}
    assert stage.reported() == {(Kind.MISSING, "song-2")}
    assert 60 <= stage.clock.elapsed < 70


def test_key_that_waits_for_the_stream_is_not_read(stage: Stage) -> None:
    for number in range(100):
        stage.song(number, indexed=False)
    stage.applied_us = 1
    stage.index.read = 0
    stage.verify()
    assert stage.index.read == 100 * 3, "once during the scan, once for the first check and once for the last"


def test_difference_is_lagging_if_the_stream_is_never_applied(stage: Stage) -> None:
    stage.song(1)
    stage.write("song-1", encode({"id": "song-1", "title": "older"}))
    stage.song(2, indexed=False)
    stage.plant("orphan", title="gone")
    stage.applied_us = stage.clock.now_us() - MICROSECONDS
    verified = stage.verify()
    assert verified.differences == {Kind.LAGGING: 3}
    assert {difference.id: difference.fields for difference in stage.differences} == {
        "song-1": ("title",),
        "song-2": (),
        "orphan": (),
    }
    assert 120 <= stage.clock.elapsed < 130


def test_repair_updates_lagging_documents(stage: Stage) -> None:
    stage.song(1, indexed=False)
    stage.applied_us = 1
    assert stage.verify(REPAIR).equal
    assert stage.documents().keys() == {"song-1"}


def test_key_that_keeps_changing_is_counted_as_in_motion(stage: Stage) -> None:
    stage.song(1, indexed=False)
    versions = iter(range(100_000))

    def change() -> None:
        stage.table.put({"id": {"S": "song-1"}, "title": {"S": f"title {next(versions)}"}})

    stage.clock.at_each_sleep(change)
    verified = stage.verify()
    assert verified.differences.total() == 0
    assert verified.in_motion == 1
    assert 120 <= stage.clock.elapsed < 130


def test_write_of_the_document_restarts_the_settle_time(stage: Stage) -> None:
    """Otherwise an item that changed from A to B and back would be reported when B has just been applied."""
    stage.song(1)
    stage.write("song-1", encode({"id": "song-1", "title": "before A"}))
    stage.clock.at(5.4, partial(stage.write, "song-1", encode({"id": "song-1", "title": "B"})))
    stage.clock.at(9.0, partial(stage.song, 1))
    assert stage.verify().differences.total() == 0


def test_settle_time_is_configurable(stage: Stage) -> None:
    stage.song(1, indexed=False)
    stage.clock.at(20.0, partial(stage.song, 1))
    assert stage.verify(VerifyOptions(bounds=Bounds(settle_seconds=30))).equal
    assert stage.clock.elapsed >= 30


@pytest.mark.parametrize("repair", [False, True])
def test_differences_are_confirmed_and_repaired_in_batches_of_100(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, repair: bool
) -> None:
    batches: list[int] = []
    confirm = Rechecks.confirm

    def counting(rechecks: Rechecks, steps: Any) -> Iterator[Any]:
        for batch in confirm(rechecks, steps):
            batches.append(len(batch))
            yield batch

    monkeypatch.setattr(Rechecks, "confirm", counting)
    for number in range(450):
        stage.song(number, indexed=False)
    assert stage.verify(VerifyOptions(repair=repair)).differences == {Kind.MISSING: 450}
    assert max(batches) == 100, "a repair has one minute for a batch"


def test_all_candidates_are_decided_if_more_exist_than_may_wait(stage: Stage) -> None:
    for number in range(150):
        stage.song(number, indexed=False)
        stage.plant(f"orphan-{number}", title="gone")
    verified = stage.verify(VerifyOptions(bounds=Bounds(max_waiting=7)))
    assert verified.differences == {Kind.MISSING: 150, Kind.ORPHAN: 150}
    assert len(stage.reported()) == 300
    assert max(progress.waiting for progress in stage.progress) <= 7


def test_document_whose_item_is_deleted_during_the_run_is_one_orphan(stage: Stage) -> None:
    for number in range(10):
        stage.song(number)
    stage.write("song-3", encode({"title": "different"}))
    stage.song(4, bars={"N": "1"}, indexed=False)
    stage.write("song-4", None)
    stage.clock.at(1.0, partial(stage.table.remove, {"id": {"S": "song-3"}}))
    stage.clock.at(1.0, partial(stage.table.remove, {"id": {"S": "song-4"}}))
    assert stage.verify().differences == {Kind.ORPHAN: 1}
    assert stage.reported() == {(Kind.ORPHAN, "song-3")}


def test_document_written_while_its_item_is_deleted_is_one_orphan(stage: Stage) -> None:
    stage.song(1, indexed=False)
    # Right after the item was compared, and before the index is listed.
    stage.clock.at(0.0, partial(stage.plant, "song-1", title="late"))
    stage.clock.at(0.0, partial(stage.table.remove, {"id": {"S": "song-1"}}))
    assert stage.verify().differences == {Kind.ORPHAN: 1}
    assert stage.reported() == {(Kind.ORPHAN, "song-1")}


def test_ids_that_share_a_bucket_are_not_reported_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "Fingerprint", lambda: Fingerprint(buckets=4))
    for number in range(200):
        stage.song(number)
        stage.write(f"song-{number}", encode({"title": "altered"}))
        stage.plant(f"orphan-{number}", title="gone")
    assert stage.verify().differences == {Kind.DIFFERENT: 200, Kind.ORPHAN: 200}
    assert len(stage.reported()) == 400


def test_composite_keys_and_ids_that_match_no_key(composite: Stage) -> None:
    for number in range(50):
        composite.put({"pk": {"S": "a|b%"}, "sk": {"N": str(number)}, "title": {"S": "x"}})
    missing = composite.put({"pk": {"S": "q"}, "sk": {"N": "-1.5"}}, indexed=False)
    impossible = {"foo", "a|b|c", "a|x", "a|1.0", "|1", f"a|{'9' * 39}", f"a|1{'0' * 126}", "é\n|"}
    orphans = {"a%7Cb%25|99", f"a|1{'0' * 125}", f"a|{'9' * 38}", "a|0", "a|0.1"}
    for identity in impossible | orphans:
        composite.plant(identity, title="gone")
    verified = composite.verify()
    assert composite.reported() == {(Kind.MISSING, missing)} | {
        (Kind.ORPHAN, identity) for identity in impossible | orphans
    }
    keyless = {orphan.id for orphan in composite.differences if orphan.kind is Kind.ORPHAN and orphan.key is None}
    assert keyless == impossible
    assert verified.differences[Kind.ORPHAN] == len(impossible | orphans)
    composite.differences.clear()
    assert composite.verify(REPAIR).equal
    assert len(composite.documents()) == 51


def test_orphan_with_a_version_in_the_future_is_not_deleted(composite: Stage) -> None:
    composite.plant("foo", composite.clock.now_us() * 2, title="gone")
    verified = composite.verify(REPAIR)
    assert not verified.equal
    [orphan] = composite.differences
    assert orphan.repaired is False
    assert "its version is greater" in orphan.note
    assert composite.documents().keys() == {"foo"}


def shortened(stage: Stage, number: int) -> str:
    return document_id(stage.schema, {"id": {"S": f"{LONG}{number}"}})


@pytest.mark.parametrize("max_shortened", [1, 2, 1000])
def test_items_of_shortened_ids_are_searched_for_in_the_table(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, max_shortened: int
) -> None:
    monkeypatch.setattr(compare, "MAX_SHORTENED", max_shortened)
    for number in range(5):
        stage.put({"id": {"S": f"{LONG}{number}"}, "title": {"S": "x"}})
    # Written too late for the first scan: its document is in the listing, and not an orphan.
    stage.clock.at(0.0, partial(stage.put, {"id": {"S": f"{LONG}late"}}))
    orphans = {shortened(stage, number) for number in range(100, 106)}
    for identity in orphans:
        stage.plant(identity, title="gone")
    verified = stage.verify()
    assert stage.reported() == {(Kind.ORPHAN, identity) for identity in orphans}
    assert all(difference.key is None for difference in stage.differences)
    assert verified.items in (5, 6), "a scan for ids compares no items"
    stage.differences.clear()
    assert stage.verify(REPAIR).equal
    assert len(stage.documents()) == 6


def test_document_with_a_shortened_id_written_after_the_scan_started_is_in_motion(stage: Stage) -> None:
    stage.plant(shortened(stage, 1), stage.clock.now_us(), title="just written")
    verified = stage.verify()
    assert verified.differences.total() == 0
    assert verified.in_motion == 1


def test_key_without_a_possible_id_is_counted_as_unindexable(stage: Stage) -> None:
    stage.song(1)
    stage.table._items["odd"] = {"id": {"S": "\ud800"}}
    verified = stage.verify()
    assert verified.equal
    assert (verified.items, verified.unindexable) == (2, 1)


def unavailable(call: str) -> SearchUnavailable:
    return SearchUnavailable(call, INDEX, "503", "It may pass.")


def test_run_waits_for_unavailable_backends_and_counts_nothing_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    for number in range(450):
        stage.song(number)
    stage.plant("orphan", title="gone")
    stage.index.failures = {"get_many": [unavailable("read from index")] * 2, "versions": [unavailable("list index")]}
    read_items, failures = type(stage.runtime().table).read_items, [SourceUnavailable("read items of", "songs", "503")]

    def flaky(self: Any, keys: Any) -> Any:
        if failures:
            raise failures.pop()
        return read_items(self, keys)

    monkeypatch.setattr(type(stage.runtime().table), "read_items", flaky)
    stage.index.read = 0
    verified = stage.verify()
    assert verified.differences == {Kind.ORPHAN: 1}
    assert (verified.items, verified.documents) == (450, 451)
    assert not failures
    assert stage.index.read == 450 + 3, "a document listed before the failure is not removed twice"
    assert any("503" in line for line in logged)


def test_error_that_is_not_transient_is_raised(stage: Stage) -> None:
    stage.song(1)
    stage.index.failures = {"get_many": [SearchError("read from index", INDEX, "forbidden", status=403)]}
    with pytest.raises(SearchError, match="forbidden"):
        stage.verify()


def test_stopped_clock_ends_the_run_immediately(stage: Stage) -> None:
    for number in range(1000):
        stage.song(number)

    def stop() -> None:
        if stage.progress:
            raise Stopping

    stage.clock.at_each_sleep(stop)
    with pytest.raises(Stopping):
        stage.verify()
    assert stage.progress[-1].items == 200


def test_sample_finds_its_share_in_both_directions(stage: Stage) -> None:
    for number in range(3000):
        stage.song(number, indexed=number >= 1000)
        stage.plant(f"orphan-{number}", title="gone")
    verified = stage.verify(VerifyOptions(sample=20, seed=7))
    assert 500 < verified.items < 700
    assert 130 < verified.differences[Kind.MISSING] < 270
    assert 500 < verified.differences[Kind.ORPHAN] < 700
    assert len(stage.reported()) == verified.differences.total()
    assert abs(verified.documents - 1000) < 120, "of 5,000"
    assert verified.sample == 20
    first = stage.reported()
    stage.differences.clear()
    stage.verify(VerifyOptions(sample=20, seed=7))
    assert stage.reported() == first
    stage.differences.clear()
    stage.verify(VerifyOptions(sample=20, seed=8))
    assert stage.reported() != first


def test_sample_counts_the_documents_that_it_cannot_check(stage: Stage) -> None:
    for number in range(300):
        stage.plant(shortened(stage, number), title="gone")
    verified = stage.verify(VerifyOptions(sample=50, seed=1))
    assert verified.differences.total() == 0
    assert 110 < verified.unchecked < 190


def test_smallest_sample_is_one_of_the_maximum_number_of_segments() -> None:
    chosen, total = _segments(1e-320, None, random.Random(1))
    assert (len(chosen), total) == (1, 1_000_000)


def test_sample_of_100_percent_compares_everything() -> None:
    assert VerifyOptions(sample=100).sample is None


@pytest.mark.parametrize("percent", [0, -1, 100.5, float("nan")])
def test_invalid_percentage_is_rejected(percent: float) -> None:
    with pytest.raises(DynadexError, match="not a valid percentage"):
        VerifyOptions(sample=percent)


def test_index_is_resolved_by_alias_or_name(stage: Stage) -> None:
    runtime = stage.runtime()
    assert resolve_index(runtime, "songs") == resolve_index(runtime, INDEX) == INDEX
    with pytest.raises(SearchError, match=r"verify index nowhere: it does not exist\. See `dynadex indexes`"):
        resolve_index(runtime, "nowhere")
    for pattern in ("", "*", "_all", "songs,other", "so?gs"):
        with pytest.raises(SearchError, match="not the name of a single index"):
            resolve_index(runtime, pattern)


def test_index_that_dynadex_does_not_write_is_not_repaired(stage: Stage) -> None:
    runtime = stage.runtime()
    runtime.index.create("others", {"aliases": {"people": {}}})
    assert resolve_index(runtime, INDEX, repair=True) == INDEX
    assert resolve_index(runtime, "people") == "others"
    for name in ("others", "people"):
        with pytest.raises(SearchError, match=f"repair index {name}: dynadex does not write others for songs"):
            resolve_index(runtime, name, repair=True)


@pytest.mark.parametrize(
    ("expected", "stored", "fields"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1, "b": 2}, {"a": 2, "c": 3}, ("a", "b", "c")),
        ({"a": 1}, {"a": True}, ("a",)),
        ({"a": Decimal("1.50")}, {"a": Decimal("1.5")}, ()),
        ({"a": 2**70, "b": 0.1}, {"a": 2**70, "b": Decimal("0.1")}, ()),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("a",)),
        ({"a": {"b": {"c": 1, "d": None}}}, {"a": {"b": {"c": 2}}}, ("a.b.c", "a.b.d")),
        ({"a": {"b": 1}}, {"a": [1]}, ("a",)),
        ({"a": {}}, {"a": {}}, ()),
    ],
    ids=str,
)
def test_differing_fields(expected: dict[str, Any], stored: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert differing_fields(encode(expected), stored) == fields


def test_difference_as_json() -> None:
    difference = Difference(Kind.DIFFERENT, "AP8=", {"b": {"B": b"\x00\xff"}}, ("title",), repaired=False, note="why")
    assert json.loads(json.dumps(difference.as_json())) == {
        "kind": "different",
        "id": "AP8=",
        "key": {"b": {"B": "AP8="}},
        "fields": ["title"],
        "repaired": False,
        "note": "why",
    }
    assert Difference(Kind.ORPHAN, "foo").as_json() == {"kind": "orphan", "id": "foo", "key": None, "fields": []}


def test_lookup_of_suspects_waits_for_an_unavailable_cluster(stage: Stage) -> None:
    stage.plant("orphan", title="x")
    for number in range(3):
        stage.song(number)
    versions, listings = stage.index.versions, []

    def listing(index: str) -> Iterator[list[tuple[str, int]]]:
        listings.append(index)
        if len(listings) == 2:
            raise UNAVAILABLE
        yield from versions(index)

    cast(Any, stage.index).versions = listing
    assert stage.verify().differences[Kind.ORPHAN] == 1
    assert len(listings) == 3


def test_sample_waits_for_an_unavailable_cluster(stage: Stage) -> None:
    stage.plant("orphan", title="x")
    stage.index.failures["versions"] = [UNAVAILABLE]
    stage.verify(VerifyOptions(sample=99.0, seed=1))
    assert not stage.index.failures["versions"]


def test_lookup_fails_if_too_many_ids_would_have_to_be_stored_to_resume(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MAX_STORED_IDS", 2)
    for number in range(3):
        stage.plant(f"orphan-{number}", title="x")
    versions, listings = stage.index.versions, []

    def listing(index: str) -> Iterator[list[tuple[str, int]]]:
        listings.append(index)
        yield from versions(index)
        if len(listings) == 2:
            raise UNAVAILABLE

    cast(Any, stage.index).versions = listing
    with pytest.raises(SearchError, match="Too many documents have been compared to resume") as raised:
        stage.verify()
    assert not isinstance(raised.value, SearchUnavailable)
