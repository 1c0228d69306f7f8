"""Contract of the refill function: its events, its responses, and how long it scans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynadex.document.identity import KeySchema, document_id
from dynadex.refill.slices import Slice, budget_seconds
from dynadex.source.table import boto_key

KEY = {"pk": {"S": "reels"}, "sk": {"N": "7"}}


def test_empty_event_starts_a_scan_of_the_whole_table() -> None:
    assert Slice.from_event({}) == Slice(start_key=None, segment=0, total_segments=1)


def test_complete_scan_returns_an_empty_object() -> None:
    assert Slice(done=True).as_event() == {}
    assert Slice(KEY, done=True).as_event() == {}
    assert Slice(None, 2, 4, {"Index": "songs"}, done=True).as_event() == {}


def test_unfinished_scan_returns_only_its_last_key() -> None:
    assert Slice(KEY).as_event() == {"LastEvaluatedKey": KEY}


@pytest.mark.parametrize(
    "event",
    [
        {"LastEvaluatedKey": KEY},
        {"LastEvaluatedKey": KEY, "Segment": 0, "TotalSegments": 4},
        {"LastEvaluatedKey": KEY, "Segment": 3, "TotalSegments": 4},
        {"LastEvaluatedKey": {"id": {"S": "é🎻\0|%"}}},
        {"LastEvaluatedKey": {"id": {"B": "AP/+"}}},
        {"LastEvaluatedKey": KEY, "Index": "songs-20261124000000", "StartedAt": 5},
        {"LastEvaluatedKey": KEY, "Indexes": ["songs-20261124000000"]},
    ],
    ids=str,
)
def test_response_of_a_slice_is_the_event_of_the_next_one(event: dict[str, Any]) -> None:
    returned = Slice.from_event(event).as_event()
    assert returned == event
    assert json.loads(json.dumps(returned)) == event


def test_segment_is_scanned_from_its_beginning() -> None:
    assert Slice.from_event({"Segment": 3, "TotalSegments": 4}) == Slice(None, 3, 4)
    assert Slice.from_event({"TotalSegments": 4}) == Slice(None, 0, 4)


def test_other_fields_of_the_event_are_passed_on() -> None:
    part = Slice.from_event({"Index": "songs-1", "Nested": {"a": [1]}})
    assert part.extra == {"Index": "songs-1", "Nested": {"a": [1]}}
    assert not part.done


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        5,
        {"Segment": 4, "TotalSegments": 4},
        {"Segment": -1, "TotalSegments": 4},
        {"Segment": 1},
        {"Segment": "0", "TotalSegments": "4"},
        {"Segment": 0, "TotalSegments": 0},
        {"Segment": 0.5, "TotalSegments": 4},
        {"Segment": None, "TotalSegments": 4},
        {"LastEvaluatedKey": "rakes"},
        {"LastEvaluatedKey": {}},
        {"Indexes": "songs"},
        {"Indexes": [5]},
    ],
    ids=str,
)
def test_invalid_event_is_rejected(event: Any) -> None:
    with pytest.raises(
        ValueError, match=r"a backfill expects an object|is not within TotalSegments|is not a key|is not a list"
    ):
        Slice.from_event(event)


def test_binary_key_survives_json() -> None:
    scanned = {"b": {"B": b"\x00\xff\xfe"}}
    event = json.loads(json.dumps(Slice(scanned).as_event()))
    assert event == {"LastEvaluatedKey": {"b": {"B": "AP/+"}}}
    start_key = Slice.from_event(event).start_key
    assert start_key is not None
    assert boto_key(start_key) == scanned
    schema = KeySchema(("b",), ("B",))
    assert document_id(schema, start_key) == document_id(schema, scanned)


@pytest.mark.parametrize(
    ("remaining", "budget"),
    [(None, 240), (900, 240), (270, 240), (269, 239), (100, 70), (31, 1), (30, 1), (10, 1), (0, 1), (-5, 1)],
)
def test_slice_scans_four_minutes_or_until_30_seconds_are_left(remaining: float | None, budget: float) -> None:
    assert budget_seconds(240, remaining) == budget
