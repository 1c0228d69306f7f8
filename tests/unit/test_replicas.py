"""Comparison of replicas under writes: items that lag, that differ, and that keep changing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from dynadex.change import Item
from dynadex.document.identity import KeySchema
from dynadex.document.typed_json import typed
from dynadex.errors import DynadexError
from dynadex.source.table_scan import Page
from dynadex.testing import ManualClock
from dynadex.verify.across_regions import parse_regions
from dynadex.verify.replicas import ReplicaComparison, ReplicaDifference, ReplicaResult

SETTLE = 5.0
SCHEMA = KeySchema(("id",), ("S",))


class Region:
    """A replica whose items depend on the time of the clock."""

    def __init__(self, region: str, items: Callable[[], dict[str, Any]], page_items: int = 2) -> None:
        self.region = region
        self._items = items
        self._page_items = page_items

    def pages(self) -> Iterator[Page]:
        ids = sorted(self._items())
        for start in range(0, max(1, len(ids)), self._page_items):
            items = [item for item in map(self._item, ids[start : start + self._page_items]) if item]
            yield Page(items, 0, None, 0.0)

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        return [self._item(str(key["id"]["S"])) for key in keys]

    def _item(self, identity: str) -> Item | None:
        items = self._items()
        return typed({"id": identity, **items[identity]})["M"] if identity in items else None


def compare(
    left: Callable[[ManualClock], dict[str, Any]], right: Callable[[ManualClock], dict[str, Any]]
) -> tuple[ReplicaResult, list[ReplicaDifference]]:
    clock = ManualClock()
    regions = Region("us-east-1", lambda: left(clock)), Region("eu-west-1", lambda: right(clock))
    return run(ReplicaComparison(*regions, SCHEMA, clock, SETTLE))


def run(comparison: ReplicaComparison) -> tuple[ReplicaResult, list[ReplicaDifference]]:
    differences = [difference for batch in comparison.differences() for difference in batch]
    return comparison.result, differences


SONGS = {str(n): {"title": f"Tune {n}"} for n in range(5)}


def test_equal_replicas_have_no_difference() -> None:
    result, differences = compare(lambda _: SONGS, lambda _: dict(reversed(SONGS.items())))
    assert differences == []
    assert result.summary() == {
        "regions": ["us-east-1", "eu-west-1"],
        "items": 5,
        "late": 0,
        "longest_seconds": 0.0,
        "different": 0,
        "in_motion": 0,
    }


def test_empty_replicas_are_equal() -> None:
    assert compare(lambda _: {}, lambda _: {})[0].items == 0


@pytest.mark.parametrize("behind", ["left", "right"])
def test_lag_of_a_replica_is_measured_and_is_not_a_difference(behind: str) -> None:
    started = ManualClock().monotonic()

    def late(clock: ManualClock) -> dict[str, Any]:
        return SONGS if clock.monotonic() - started >= 3 else {**SONGS, "1": {"title": "Old"}}

    sides = (late, lambda _: SONGS) if behind == "left" else (lambda _: SONGS, late)
    result, differences = compare(*sides)
    assert (differences, result.different, result.late) == ([], 0, 1)
    assert 2.5 <= result.max_seconds <= 4


def test_lasting_difference_is_reported_with_its_fields() -> None:
    other = {**SONGS, "3": {"title": "Tune 3", "key": "D", "nested": {"a": [1]}}}
    result, differences = compare(lambda _: SONGS, lambda _: other)
    assert differences == [ReplicaDifference("3", ("us-east-1", "eu-west-1"), ("key", "nested"))]
    assert (result.different, result.late, result.items) == (1, 0, 5)


@pytest.mark.parametrize("alone", ["us-east-1", "eu-west-1"])
def test_item_in_only_one_region_is_reported_with_its_region(alone: str) -> None:
    more = {**SONGS, "9": {"title": "Alone"}}
    sides = (more, SONGS) if alone == "us-east-1" else (SONGS, more)
    result, differences = compare(lambda _: sides[0], lambda _: sides[1])
    assert differences == [ReplicaDifference("9", ("us-east-1", "eu-west-1"), only_in=alone)]
    assert differences[0].as_json() == {
        "kind": "replicas", "id": "9", "regions": ["us-east-1", "eu-west-1"], "only_in": alone,
    }  # fmt: skip
    assert result.items == 6


def test_item_that_keeps_changing_is_counted_as_in_motion() -> None:
    def restless(clock: ManualClock) -> dict[str, Any]:
        return {**SONGS, "2": {"n": int(clock.monotonic() * 1000)}}

    result, differences = compare(restless, lambda _: SONGS)
    assert (differences, result.different, result.in_motion) == ([], 0, 1)


def test_values_of_different_types_differ() -> None:
    for left, right in (("1.5", Decimal("1.5")), (True, 1)):
        _, differences = compare(lambda _, value=left: {"a": {"v": value}}, lambda _, value=right: {"a": {"v": value}})  # type: ignore[misc]
        assert [difference.fields for difference in differences] == [("v",)]


def test_order_of_a_set_is_ignored() -> None:
    class Sets(Region):
        def _item(self, identity: str) -> Item | None:
            members = ["b", "a"] if self.region == "us-east-1" else ["a", "b"]
            return {"id": {"S": identity}, "tags": {"SS": members}}

    left, right = (Sets(name, lambda: {"x": {}}) for name in ("us-east-1", "eu-west-1"))
    assert run(ReplicaComparison(left, right, SCHEMA, ManualClock(), SETTLE))[1] == []


def test_regions_are_parsed_with_their_search_clusters() -> None:
    text = "us-east-1=http://127.0.0.1:9200, eu-west-1=https://search.example.org/?a=b"
    assert parse_regions(text) == {
        "us-east-1": "http://127.0.0.1:9200", "eu-west-1": "https://search.example.org/?a=b",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "us-east-1", "us-east-1=http://a", "us-east-1=http://a,eu-west-1", "=http://a,b=c"]
)
def test_malformed_regions_are_rejected_with_an_example(text: str) -> None:
    with pytest.raises(DynadexError, match="For example: --across-regions us-east-1=https"):
        parse_regions(text)
