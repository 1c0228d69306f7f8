"""Verify on a table and an index in memory: what it finds, what it lets pass, and what it puts right."""

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
from dynadex.verify.result import differing_fields
from dynadex.verify.verify import Bounds, Difference, Kind, VerifyOptions, _segments, resolved
from tests.unit.verify_stage import COMPOSITE, INDEX, Stage

AWAY = SearchUnavailable("list index", INDEX, "503 busy")

MICROSECONDS = 1_000_000
REPAIR = VerifyOptions(repair=True)
LONG = "x" * 600


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> list[Stage]:
    """The stages made by a test; the newest one's table is what clients reach."""
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


def test_an_index_that_equals_its_table(stage: Stage) -> None:
    for number in range(700):
        stage.song(number)
    stage.song(700, hidden={"BOOL": True})
    stage.song(701, impossible={"BOOL": True})
    verified = stage.verify()
    assert verified.equal
    assert (verified.items, verified.documents) == (702, 700)
    assert (verified.not_indexed, verified.unindexable, verified.in_motion) == (1, 1, 0)
    assert stage.differences == []
    assert stage.index.listed == 1, "nothing is suspicious: nothing is listed again"
    assert stage.clock.elapsed == 0
    assert stage.progress[-1].total == 702


def test_each_kind_is_found_once_with_its_key_and_fields(stage: Stage) -> None:
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
    assert verified.found == {Kind.MISSING: 1, Kind.ORPHAN: 3, Kind.DIFFERENT: 1}
    assert stage.found() == {
        (Kind.MISSING, "song-300"),
        (Kind.ORPHAN, "orphan"),
        (Kind.ORPHAN, "song-302"),
        (Kind.ORPHAN, "song-303"),
        (Kind.DIFFERENT, "song-301"),
    }
    [different] = [one for one in stage.differences if one.kind is Kind.DIFFERENT]
    assert different == Difference(Kind.DIFFERENT, "song-301", {"id": {"S": "song-301"}}, ("bars", "lesson.tempo"))
    assert not verified.equal
    assert verified.remaining.total() == 5


def test_repair_leaves_nothing_that_differs(stage: Stage) -> None:
    for number in range(300):
        stage.song(number, indexed=number % 3 > 0)
    for number in range(100):
        stage.plant(f"orphan-{number}", title="gone")
        stage.write(f"song-{number}", encode({"title": "other"}))
    verified = stage.verify(REPAIR)
    assert verified.equal
    assert verified.repaired.total() == verified.found.total() == 100 + 100 + 66
    assert all(one.repaired for one in stage.differences)
    wanted = {i: decode(stage.sync.build(item).body or b"{}") for i, item in stage.table.items().items()}
    assert stage.documents() == wanted
    assert stage.verify().found.total() == 0


def test_an_item_that_the_index_refuses_is_dead_lettered_without_telling_its_values(stage: Stage) -> None:
    stage.song(1, indexed=False, bars={"S": "not a number"})
    stage.song(2, impossible={"BOOL": True})
    stage.plant("song-2", title="old")
    verified = stage.verify(REPAIR)
    assert verified.equal
    assert verified.unindexable == 2, "each counts once, known before or not"
    assert {letter.id for letter in stage.letters} == {"song-1", "song-2"}
    assert stage.documents() == {}
    told = json.dumps([one.as_json() for one in stage.differences])
    assert f"dead-lettered in file:{Path.cwd()}/dead-letters" in told
    assert "not a number" not in told
    assert "secret" not in told


def test_what_is_on_its_way_is_not_a_difference(stage: Stage) -> None:
    for number in range(10):
        stage.song(number, indexed=False)
        stage.plant(f"leaving-{number}", title="gone soon")
        stage.clock.at(0.3 + 0.5 * number, partial(stage.song, number))
        stage.clock.at(4.0, partial(stage.write, f"leaving-{number}", None))
    verified = stage.verify()
    assert verified.found.total() == 0
    assert stage.documents().keys() == {f"song-{number}" for number in range(10)}


def test_nothing_is_told_before_the_stream_has_passed(stage: Stage) -> None:
    stage.song(1, indexed=False)
    stage.song(2, indexed=False)
    stage.passed_us = stage.clock.now_us()

    def arrive() -> None:
        stage.song(1)
        stage.passed_us = stage.clock.now_us()

    stage.clock.at(60.0, arrive)
    assert stage.verify().found == {Kind.MISSING: 1}
    assert stage.found() == {(Kind.MISSING, "song-2")}
    assert 60 <= stage.clock.elapsed < 70


def test_what_waits_for_the_stream_is_not_read_meanwhile(stage: Stage) -> None:
    for number in range(100):
        stage.song(number, indexed=False)
    stage.passed_us = 1
    stage.index.read = 0
    stage.verify()
    assert stage.index.read == 100 * 3, "once beside the scan, once to begin with, once at the end"


def test_where_the_stream_never_passes_it_is_stale(stage: Stage) -> None:
    stage.song(1)
    stage.write("song-1", encode({"id": "song-1", "title": "older"}))
    stage.song(2, indexed=False)
    stage.plant("orphan", title="gone")
    stage.passed_us = stage.clock.now_us() - MICROSECONDS
    verified = stage.verify()
    assert verified.found == {Kind.LAGGING: 3}
    assert {one.id: one.fields for one in stage.differences} == {"song-1": ("title",), "song-2": (), "orphan": ()}
    assert 120 <= stage.clock.elapsed < 130


def test_repair_mends_what_is_stale(stage: Stage) -> None:
    stage.song(1, indexed=False)
    stage.passed_us = 1
    assert stage.verify(REPAIR).equal
    assert stage.documents().keys() == {"song-1"}


def test_a_key_that_never_rests_is_no_difference_but_counted(stage: Stage) -> None:
    stage.song(1, indexed=False)
    versions = iter(range(100_000))

    def change() -> None:
        stage.table.put({"id": {"S": "song-1"}, "title": {"S": f"title {next(versions)}"}})

    stage.clock.at_each_sleep(change)
    verified = stage.verify()
    assert verified.found.total() == 0
    assert verified.in_motion == 1
    assert 120 <= stage.clock.elapsed < 130


def test_a_document_that_is_written_meanwhile_starts_the_clock_anew(stage: Stage) -> None:
    """Else an item that went from A to B and back would be told as different when B has just arrived."""
    stage.song(1)
    stage.write("song-1", encode({"id": "song-1", "title": "before A"}))
    stage.clock.at(5.4, partial(stage.write, "song-1", encode({"id": "song-1", "title": "B"})))
    stage.clock.at(9.0, partial(stage.song, 1))
    assert stage.verify().found.total() == 0


def test_the_settle_time_is_a_choice(stage: Stage) -> None:
    stage.song(1, indexed=False)
    stage.clock.at(20.0, partial(stage.song, 1))
    assert stage.verify(VerifyOptions(bounds=Bounds(settle_seconds=30))).equal
    assert stage.clock.elapsed >= 30


def test_more_candidates_than_may_wait_are_all_decided(stage: Stage) -> None:
    for number in range(150):
        stage.song(number, indexed=False)
        stage.plant(f"orphan-{number}", title="gone")
    verified = stage.verify(VerifyOptions(bounds=Bounds(max_waiting=7)))
    assert verified.found == {Kind.MISSING: 150, Kind.ORPHAN: 150}
    assert len(stage.found()) == 300
    assert max(one.waiting for one in stage.progress) <= 7


def test_an_item_deleted_meanwhile_whose_document_stays_is_a_orphan_once(stage: Stage) -> None:
    for number in range(10):
        stage.song(number)
    stage.write("song-3", encode({"title": "different"}))
    stage.song(4, bars={"N": "1"}, indexed=False)
    stage.write("song-4", None)
    stage.clock.at(1.0, partial(stage.table.remove, {"id": {"S": "song-3"}}))
    stage.clock.at(1.0, partial(stage.table.remove, {"id": {"S": "song-4"}}))
    assert stage.verify().found == {Kind.ORPHAN: 1}
    assert stage.found() == {(Kind.ORPHAN, "song-3")}


def test_a_document_that_comes_while_its_item_goes_is_a_orphan_once(stage: Stage) -> None:
    stage.song(1, indexed=False)
    # Right after the item was compared, and before the index is listed.
    stage.clock.at(0.0, partial(stage.plant, "song-1", title="late"))
    stage.clock.at(0.0, partial(stage.table.remove, {"id": {"S": "song-1"}}))
    assert stage.verify().found == {Kind.ORPHAN: 1}
    assert stage.found() == {(Kind.ORPHAN, "song-1")}


def test_neighbours_in_a_crowded_fingerprint_are_not_told_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "Fingerprint", lambda: Fingerprint(buckets=4))
    for number in range(200):
        stage.song(number)
        stage.write(f"song-{number}", encode({"title": "altered"}))
        stage.plant(f"orphan-{number}", title="gone")
    assert stage.verify().found == {Kind.DIFFERENT: 200, Kind.ORPHAN: 200}
    assert len(stage.found()) == 400


def test_composite_keys_and_ids_that_no_key_has(composite: Stage) -> None:
    for number in range(50):
        composite.put({"pk": {"S": "a|b%"}, "sk": {"N": str(number)}, "title": {"S": "x"}})
    missing = composite.put({"pk": {"S": "q"}, "sk": {"N": "-1.5"}}, indexed=False)
    impossible = {"foo", "a|b|c", "a|x", "a|1.0", "|1", f"a|{'9' * 39}", f"a|1{'0' * 126}", "é\n|"}
    orphans = {"a%7Cb%25|99", f"a|1{'0' * 125}", f"a|{'9' * 38}", "a|0", "a|0.1"}
    for identity in impossible | orphans:
        composite.plant(identity, title="gone")
    verified = composite.verify()
    assert composite.found() == {(Kind.MISSING, missing)} | {(Kind.ORPHAN, one) for one in impossible | orphans}
    keyless = {one.id for one in composite.differences if one.kind is Kind.ORPHAN and one.key is None}
    assert keyless == impossible
    assert verified.found[Kind.ORPHAN] == len(impossible | orphans)
    composite.differences.clear()
    assert composite.verify(REPAIR).equal
    assert len(composite.documents()) == 51


def test_a_orphan_that_claims_to_be_of_the_future_is_left_and_said_so(composite: Stage) -> None:
    composite.plant("foo", composite.clock.now_us() * 2, title="gone")
    verified = composite.verify(REPAIR)
    assert not verified.equal
    [orphan] = composite.differences
    assert orphan.repaired is False
    assert "its version is above" in orphan.note
    assert composite.documents().keys() == {"foo"}


def shortened(stage: Stage, number: int) -> str:
    return document_id(stage.schema, {"id": {"S": f"{LONG}{number}"}})


@pytest.mark.parametrize("most", [1, 2, 1000])
def test_ids_that_do_not_tell_their_keys_are_looked_for_in_the_table(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(compare, "MAX_SHORTENED", most)
    for number in range(5):
        stage.put({"id": {"S": f"{LONG}{number}"}, "title": {"S": "x"}})
    # This one comes too late for the first scan: it is in the fingerprint, and not a orphan.
    stage.clock.at(0.0, partial(stage.put, {"id": {"S": f"{LONG}late"}}))
    orphans = {shortened(stage, number) for number in range(100, 106)}
    for identity in orphans:
        stage.plant(identity, title="gone")
    verified = stage.verify()
    assert stage.found() == {(Kind.ORPHAN, identity) for identity in orphans}
    assert all(one.key is None for one in stage.differences)
    assert verified.items in (5, 6), "scans that look for ids compare nothing"
    stage.differences.clear()
    assert stage.verify(REPAIR).equal
    assert len(stage.documents()) == 6


def test_a_shortened_document_written_since_the_scan_began_says_nothing(stage: Stage) -> None:
    stage.plant(shortened(stage, 1), stage.clock.now_us(), title="just written")
    verified = stage.verify()
    assert verified.found.total() == 0
    assert verified.in_motion == 1


def test_a_key_that_can_have_no_id_is_counted_as_unindexable(stage: Stage) -> None:
    stage.song(1)
    stage.table._items["odd"] = {"id": {"S": "\ud800"}}
    verified = stage.verify()
    assert verified.equal
    assert (verified.items, verified.unindexable) == (2, 1)


def away(call: str) -> SearchUnavailable:
    return SearchUnavailable(call, INDEX, "503", "It may pass.")


def test_backends_that_go_away_meanwhile_are_waited_for_and_nothing_counts_twice(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    for number in range(450):
        stage.song(number)
    stage.plant("orphan", title="gone")
    stage.index.failures = {"get_many": [away("read from index")] * 2, "versions": [away("list index")]}
    read_items, failures = type(stage.runtime().table).read_items, [SourceUnavailable("read items of", "songs", "503")]

    def flaky(self: Any, keys: Any) -> Any:
        if failures:
            raise failures.pop()
        return read_items(self, keys)

    monkeypatch.setattr(type(stage.runtime().table), "read_items", flaky)
    stage.index.read = 0
    verified = stage.verify()
    assert verified.found == {Kind.ORPHAN: 1}
    assert (verified.items, verified.documents) == (450, 451)
    assert not failures
    assert stage.index.read == 450 + 3, "what was listed before the failure is not taken out twice"
    assert any("503" in line for line in logged)


def test_what_waiting_cannot_mend_is_raised(stage: Stage) -> None:
    stage.song(1)
    stage.index.failures = {"get_many": [SearchError("read from index", INDEX, "forbidden", status=403)]}
    with pytest.raises(SearchError, match="forbidden"):
        stage.verify()


def test_it_stops_at_once_when_told_to(stage: Stage) -> None:
    for number in range(1000):
        stage.song(number)

    def stop() -> None:
        if stage.progress:
            raise Stopping

    stage.clock.at_each_sleep(stop)
    with pytest.raises(Stopping):
        stage.verify()
    assert stage.progress[-1].items == 200


def test_a_sample_finds_about_its_share_of_both_directions(stage: Stage) -> None:
    for number in range(3000):
        stage.song(number, indexed=number >= 1000)
        stage.plant(f"orphan-{number}", title="gone")
    verified = stage.verify(VerifyOptions(sample=20, seed=7))
    assert 500 < verified.items < 700
    assert 130 < verified.found[Kind.MISSING] < 270
    assert 500 < verified.found[Kind.ORPHAN] < 700
    assert len(stage.found()) == verified.found.total()
    assert abs(verified.documents - 1000) < 120, "of 5,000"
    assert verified.sample == 20
    first = stage.found()
    stage.differences.clear()
    stage.verify(VerifyOptions(sample=20, seed=7))
    assert stage.found() == first
    stage.differences.clear()
    stage.verify(VerifyOptions(sample=20, seed=8))
    assert stage.found() != first


def test_a_sample_says_what_it_cannot_check(stage: Stage) -> None:
    for number in range(300):
        stage.plant(shortened(stage, number), title="gone")
    verified = stage.verify(VerifyOptions(sample=50, seed=1))
    assert verified.found.total() == 0
    assert 110 < verified.unchecked < 190


def test_the_least_sample_is_one_segment_of_the_most() -> None:
    chosen, of = _segments(1e-320, None, random.Random(1))
    assert (len(chosen), of) == (1, 1_000_000)


def test_a_sample_of_all_is_everything() -> None:
    assert VerifyOptions(sample=100).sample is None


@pytest.mark.parametrize("percent", [0, -1, 100.5, float("nan")])
def test_a_sample_that_is_no_percentage_is_refused(percent: float) -> None:
    with pytest.raises(DynadexError, match="no percentage"):
        VerifyOptions(sample=percent)


def test_a_name_is_an_alias_or_an_index(stage: Stage) -> None:
    runtime = stage.runtime()
    assert resolved(runtime, "songs") == resolved(runtime, INDEX) == INDEX
    with pytest.raises(SearchError, match=r"verify index nowhere: there is no such index\. See `dynadex indexes`"):
        resolved(runtime, "nowhere")
    for pattern in ("", "*", "_all", "songs,other", "so?gs"):
        with pytest.raises(SearchError, match="no name of one index"):
            resolved(runtime, pattern)


def test_only_an_index_of_its_own_is_repaired(stage: Stage) -> None:
    runtime = stage.runtime()
    runtime.index.create("others", {"aliases": {"people": {}}})
    assert resolved(runtime, INDEX, repair=True) == INDEX
    assert resolved(runtime, "people") == "others"
    for name in ("others", "people"):
        with pytest.raises(SearchError, match=f"repair index {name}: others is no index that is written for songs"):
            resolved(runtime, name, repair=True)


@pytest.mark.parametrize(
    ("wanted", "found", "fields"),
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
def test_fields_that_differ(wanted: dict[str, Any], found: dict[str, Any], fields: tuple[str, ...]) -> None:
    assert differing_fields(encode(wanted), found) == fields


def test_a_difference_as_json() -> None:
    one = Difference(Kind.DIFFERENT, "AP8=", {"b": {"B": b"\x00\xff"}}, ("title",), repaired=False, note="why")
    assert json.loads(json.dumps(one.as_json())) == {
        "kind": "different",
        "id": "AP8=",
        "key": {"b": {"B": "AP8="}},
        "fields": ["title"],
        "repaired": False,
        "note": "why",
    }
    assert Difference(Kind.ORPHAN, "foo").as_json() == {"kind": "orphan", "id": "foo", "key": None, "fields": []}


def test_it_waits_for_a_cluster_that_goes_away_while_suspects_are_looked_up(stage: Stage) -> None:
    stage.plant("orphan", title="x")
    for number in range(3):
        stage.song(number)
    versions, listings = stage.index.versions, []

    def listing(index: str) -> Iterator[list[tuple[str, int]]]:
        listings.append(index)
        if len(listings) == 2:
            raise AWAY
        yield from versions(index)

    cast(Any, stage.index).versions = listing
    assert stage.verify().found[Kind.ORPHAN] == 1
    assert len(listings) == 3


def test_a_sample_waits_for_a_cluster_that_goes_away(stage: Stage) -> None:
    stage.plant("orphan", title="x")
    stage.index.failures["versions"] = [AWAY]
    stage.verify(VerifyOptions(sample=99.0, seed=1))
    assert not stage.index.failures["versions"]


def test_it_does_not_wait_where_too_many_documents_would_have_to_be_remembered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MAX_REMEMBERED", 2)
    for number in range(3):
        stage.plant(f"orphan-{number}", title="x")
    versions, listings = stage.index.versions, []

    def listing(index: str) -> Iterator[list[tuple[str, int]]]:
        listings.append(index)
        yield from versions(index)
        if len(listings) == 2:
            raise AWAY

    cast(Any, stage.index).versions = listing
    with pytest.raises(SearchError, match="Too many documents were looked at to continue") as told:
        stage.verify()
    assert not isinstance(told.value, SearchUnavailable)
