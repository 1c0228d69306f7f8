"""A mapping proposed from what a sample shows: the type, the reason, and what contradicts itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynadex import analysis
from dynadex.document.identity import KeySchema
from dynadex.document.mapping_check import refusals
from dynadex.document.typed_json import plain
from dynadex.scaffold.example import example_item
from dynadex.scaffold.infer import Inferred, infer
from dynadex.scaffold.proposal import Proposal
from dynadex.scaffold.survey import Survey

SCHEMA = KeySchema(("id",), ("S",))
KEYWORD = {"type": "keyword", "ignore_above": 1024}
# The one text that heads a search.
TEXT = analysis.title()
PLAIN_TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
NOT_PARSED = {"type": "object", "enabled": False}


def texts(*values: str) -> list[dict[str, Any]]:
    return [{"S": value} for value in values]


def numbers(*values: str) -> list[dict[str, Any]]:
    return [{"N": value} for value in values]


def survey(values: list[dict[str, Any]], name: str = "a") -> Survey:
    return Survey.of((str(number), {"id": {"S": str(number)}, name: value}) for number, value in enumerate(values))


def proposal(values: list[dict[str, Any]], name: str = "a") -> Proposal:
    return infer(survey(values, name), SCHEMA).proposals[1]


CASES: dict[str, tuple[list[dict[str, Any]], Any, str]] = {
    "sentences": (texts("one two", "three four", "five six"), TEXT, "3 of 3 values have several words"),
    "long text": (texts("a b " * 100), {"type": "text"}, "the longest 400 characters"),
    "few values": (texts(*["red", "green"] * 5), KEYWORD, "2 different values in 10: exact, a facet"),
    "few values of several words": (texts(*["in stock", "sold out"] * 9), KEYWORD, "a facet"),
    "addresses": (texts("a@example.org", "b@example.org"), KEYWORD, "identifiers"),
    "links": (texts("https://example.org/a", "s3://bucket/key"), KEYWORD, "identifiers"),
    "single words": (texts("ash", "birch", "cedar"), KEYWORD, "single words, 3 different in 3"),
    "dates": (texts("2026-01-31", "2026-01-31T12:00:00Z"), {"type": "date"}, "all 2 values are dates"),
    "years are no dates": (texts("2024", "2025"), KEYWORD, "single words"),
    "whole numbers": (numbers("1", "2E+2"), {"type": "long"}, "2 whole numbers"),
    "fractions": (numbers("1", "1.5"), {"type": "double"}, "1 of 2 numbers have a fraction"),
    "long numbers": (numbers("1", "9" * 38), KEYWORD, "1 of 2 numbers are longer than any number type"),
    "booleans": ([{"BOOL": True}], {"type": "boolean"}, "true or false"),
    "binary": ([{"B": b"\0"}], {"type": "binary"}, "base64"),
    "set of texts": ([{"SS": ["x", "y"]}], KEYWORD, "single words, 2 different in 2"),
    "set of numbers": ([{"NS": ["1", "2"]}], {"type": "long"}, "2 whole numbers"),
    "set of binary": ([{"BS": [b"\0"]}], {"type": "binary"}, "base64"),
    "list": ([{"L": numbers("1", "2.5")}], {"type": "double"}, "fraction"),
    "list of lists": ([{"L": [{"L": numbers("1")}]}], {"type": "long"}, "1 whole numbers"),
    "sometimes null": ([{"NULL": True}, {"N": "1"}], {"type": "long"}, "1 whole numbers"),
    "always null": ([{"NULL": True}], {}, "never more than null in 1 item"),
    "empty list": ([{"L": []}], {}, "never more than null"),
    "empty map": ([{"M": {}}], NOT_PARSED, "all empty"),
}


@pytest.mark.parametrize(("values", "spec", "reason"), CASES.values(), ids=CASES)
def test_each_shape_has_its_type_and_its_reason(values: list[dict[str, Any]], spec: Any, reason: str) -> None:
    found = proposal(values)
    assert (found.spec, found.conflict) == (spec, "")
    assert reason in found.reason


CONFLICTS: dict[str, tuple[list[dict[str, Any]], Any, str]] = {
    "text and number": ([*numbers("1", "2"), *texts("x")], KEYWORD, "number in 2, text in 1: keyword takes both"),
    "text and boolean": ([*texts("x"), {"BOOL": True}], KEYWORD, "keyword takes both"),
    "text and map": ([*texts("x", "y"), {"M": {"b": {"N": "1"}}}], NOT_PARSED, "no type takes both"),
    "in one list": ([{"L": [{"N": "1"}, {"S": "x"}]}], KEYWORD, "number in 1, text in 1"),
    "dates but for some": (texts(*["2026-01-31"] * 9, "soon"), KEYWORD, "9 of 10 values are dates"),
    "data for names": (
        [{"M": {f"day{number}": {"N": "1"}}} for number in range(60)], NOT_PARSED, "60 different names in 60 maps",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "spec", "conflict"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_contradicts_itself_is_named(values: list[dict[str, Any]], spec: Any, conflict: str) -> None:
    found = proposal(values)
    assert found.spec == spec
    assert conflict in found.conflict


def test_a_conflict_names_an_item_that_is_the_exception() -> None:
    assert proposal([*numbers("1", "2"), *texts("x"), *numbers("3")]).example == "2"


def test_the_name_of_an_attribute_counts_for_something() -> None:
    assert proposal(texts("Rakes", "Blackbird"), "title").spec == TEXT
    dotted = proposal(texts("x"), "a.b")
    assert (dotted.spec, "a dot in a name" in dotted.reason) == ({}, True)
    reserved = proposal(texts("x"), "_id")
    assert (reserved.spec, "reserved by OpenSearch" in reserved.conflict) == ({}, True)


def test_how_rare_an_attribute_is_is_told() -> None:
    items = [{"id": {"S": "1"}, "a": {"N": "1"}}, {"id": {"S": "2"}}]
    found = infer(Survey.of((item["id"]["S"], item) for item in items), SCHEMA)
    assert found.proposals[1].reason.endswith("(in 1 of 2)")


def test_parts_of_maps_are_mapped_one_by_one() -> None:
    found = infer(survey([{"M": {"name": {"S": "Old harbour wall"}, "at": {"M": {"lat": {"N": "1.5"}}}}}]), SCHEMA)
    properties = found.mappings["properties"]["a"]["properties"]
    assert properties == {"name": TEXT, "at": {"properties": {"lat": {"type": "double"}}}}
    assert found.fields == {"a.name": 3}


def test_keys_are_mapped_so_that_they_tell_documents_apart() -> None:
    schema = KeySchema(("station", "noted"), ("S", "N"))
    found = infer(Survey.of([("x|1", {"station": {"S": "x"}, "noted": {"N": "1"}})]), schema)
    assert found.mappings["properties"] == {"station": {"type": "keyword"}, "noted": {"type": "long"}}
    fractions = infer(Survey.of([("x|1.5", {"station": {"S": "x"}, "noted": {"N": "1.5"}})]), schema)
    assert fractions.mappings["properties"]["noted"] == {"type": "keyword"}


def test_of_an_empty_table_only_the_key_is_mapped() -> None:
    found = infer(Survey(), KeySchema(("id", "at"), ("B", "N")))
    assert found.mappings["properties"] == {"id": {"type": "keyword"}, "at": {"type": "long"}}
    assert (found.fields, found.facets, found.sorts) == ({}, (), {})


def offer(**attributes: list[dict[str, Any]]) -> Inferred:
    rows = zip(*attributes.values(), strict=True)
    items = [{"id": {"S": str(n)}, **dict(zip(attributes, row, strict=True))} for n, row in enumerate(rows)]
    return infer(Survey.of((item["id"]["S"], item) for item in items), SCHEMA)


def test_a_search_is_offered_in_what_is_text_by_what_repeats_and_in_the_order_of_what_has_one() -> None:
    found = offer(
        remark=texts("a b", "c d", "e f", "g h"),
        title=texts("one two", "two three", "three four", "four five"),
        state=texts("open", "open", "open", "open"),
        price=numbers("1", "2", "3.5", "4"),
        made=texts(*["2026-01-31"] * 4),
        sizes=[{"NS": ["1", "2"]}] * 4,
        q=texts("open", "open", "open", "open"),
    )
    assert found.fields == {"title": 3, "remark": 1}
    properties = found.mappings["properties"]
    assert (properties["title"], properties["remark"]) == (TEXT, PLAIN_TEXT)
    assert found.facets == ("state",), "q is a parameter of the search"
    assert found.sorts == {"price": "price", "made": "-made"}


@pytest.mark.parametrize("values", [case[0] for case in {**CASES, **CONFLICTS}.values()], ids=[*CASES, *CONFLICTS])
def test_the_made_up_item_fits_the_mapping_and_holds_no_value_of_the_sample(values: list[dict[str, Any]]) -> None:
    seen = survey(values)
    item = example_item(seen, {"id": "S"})
    assert refusals(infer(seen, SCHEMA).mappings, plain(item)) == []
    assert "example.org" not in json.dumps(item)
    assert "day1" not in json.dumps(item)
