"""Mappings inferred from a sample: the type, the reason and the conflicts of each attribute."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynadex import analysis
from dynadex.document.identity import KeySchema
from dynadex.document.mapping_check import name_problem, rejections
from dynadex.document.typed_json import plain
from dynadex.scaffold.example import example_item
from dynadex.scaffold.infer import Inferred, infer
from dynadex.scaffold.proposal import Proposal
from dynadex.scaffold.survey import Survey

SCHEMA = KeySchema(("id",), ("S",))
KEYWORD = {"type": "keyword", "ignore_above": 1024}
# Mapping of the headline.
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
    "long text": (texts("a b " * 100), {"type": "text"}, "the longest has 400 characters"),
    "few values": (
        texts(*["red", "green"] * 5),
        KEYWORD,
        "2 distinct values in 10: matched by exact value, offered as a facet",
    ),
    "few values of several words": (texts(*["in stock", "sold out"] * 9), KEYWORD, "offered as a facet"),
    "addresses": (texts("a@example.org", "b@example.org"), KEYWORD, "identifiers"),
    "links": (texts("https://example.org/a", "s3://bucket/key"), KEYWORD, "identifiers"),
    "single words": (texts("ash", "birch", "cedar"), KEYWORD, "single words, 3 distinct in 3"),
    "dates": (texts("2026-01-31", "2026-01-31T12:00:00Z"), {"type": "date"}, "all 2 values are dates"),
    "years are not dates": (texts("2024", "2025"), KEYWORD, "single words"),
    "whole numbers": (numbers("1", "2E+2"), {"type": "long"}, "2 whole numbers"),
    "fractions": (numbers("1", "1.5"), {"type": "double"}, "1 of 2 numbers have a fractional part"),
    "long numbers": (numbers("1", "9" * 38), KEYWORD, "1 of 2 numbers exceed every integer type"),
    "booleans": ([{"BOOL": True}], {"type": "boolean"}, "true or false"),
    "binary": ([{"B": b"\0"}], {"type": "binary"}, "base64"),
    "set of texts": ([{"SS": ["x", "y"]}], KEYWORD, "single words, 2 distinct in 2"),
    "set of numbers": ([{"NS": ["1", "2"]}], {"type": "long"}, "2 whole numbers"),
    "set of binary": ([{"BS": [b"\0"]}], {"type": "binary"}, "base64"),
    "list": ([{"L": numbers("1", "2.5")}], {"type": "double"}, "fraction"),
    "list of lists": ([{"L": [{"L": numbers("1")}]}], {"type": "long"}, "1 whole number;"),
    "sometimes null": ([{"NULL": True}, {"N": "1"}], {"type": "long"}, "1 whole number;"),
    "always null": ([{"NULL": True}], {}, "only nulls or empty lists in 1 item"),
    "empty list": ([{"L": []}], {}, "only nulls or empty lists"),
    "empty map": ([{"M": {}}], NOT_PARSED, "only empty maps"),
}


@pytest.mark.parametrize(("values", "spec", "reason"), CASES.values(), ids=CASES)
def test_type_follows_the_values_and_the_reason_explains_it(
    values: list[dict[str, Any]], spec: Any, reason: str
) -> None:
    proposed = proposal(values)
    assert (proposed.spec, proposed.conflict) == (spec, "")
    assert reason in proposed.reason


CONFLICTS: dict[str, tuple[list[dict[str, Any]], Any, str]] = {
    "text and number": ([*numbers("1", "2"), *texts("x")], KEYWORD, "number in 2, text in 1: mapped as keyword"),
    "text and boolean": ([*texts("x"), {"BOOL": True}], KEYWORD, "mapped as keyword, which accepts both"),
    "text and map": ([*texts("x", "y"), {"M": {"b": {"N": "1"}}}], NOT_PARSED, "no field type accepts both"),
    "in one list": ([{"L": [{"N": "1"}, {"S": "x"}]}], KEYWORD, "number in 1, text in 1"),
    "mostly dates": (texts(*["2026-01-31"] * 9, "soon"), KEYWORD, "9 of 10 values are dates"),
    "data as names": (
        [{"M": {f"day{number}": {"N": "1"}}} for number in range(60)], NOT_PARSED, "60 different names in 60 maps",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("values", "spec", "conflict"), CONFLICTS.values(), ids=CONFLICTS)
def test_conflicting_values_are_reported_with_a_safe_mapping(
    values: list[dict[str, Any]], spec: Any, conflict: str
) -> None:
    proposed = proposal(values)
    assert proposed.spec == spec
    assert conflict in proposed.conflict


def test_conflict_names_an_item_with_the_rarest_kind() -> None:
    assert proposal([*numbers("1", "2"), *texts("x"), *numbers("3")]).example == "2"


def test_attribute_name_influences_its_mapping() -> None:
    assert proposal(texts("Rakes", "Blackbird"), "title").spec == TEXT
    dotted = proposal(texts("x"), "a.b")
    assert (dotted.spec, "reads a dot in a name as an object" in dotted.reason) == ({}, True)
    reserved = proposal(texts("x"), "_id")
    assert (reserved.spec, name_problem("_id", at_root=True) in reserved.conflict) == ({}, True)


def test_reason_states_how_rare_an_attribute_is() -> None:
    items = [{"id": {"S": "1"}, "a": {"N": "1"}}, {"id": {"S": "2"}}]
    inferred = infer(Survey.of((item["id"]["S"], item) for item in items), SCHEMA)
    assert inferred.proposals[1].reason.endswith("(present in 1 of 2)")


def test_each_part_of_a_map_is_mapped() -> None:
    inferred = infer(survey([{"M": {"name": {"S": "Old harbour wall"}, "at": {"M": {"lat": {"N": "1.5"}}}}}]), SCHEMA)
    properties = inferred.mappings["properties"]["a"]["properties"]
    assert properties == {"name": TEXT, "at": {"properties": {"lat": {"type": "double"}}}}
    assert inferred.fields == {"a.name": 3}


def test_key_attributes_are_mapped_exactly() -> None:
    schema = KeySchema(("station", "noted"), ("S", "N"))
    inferred = infer(Survey.of([("x|1", {"station": {"S": "x"}, "noted": {"N": "1"}})]), schema)
    assert inferred.mappings["properties"] == {"station": {"type": "keyword"}, "noted": {"type": "long"}}
    fractions = infer(Survey.of([("x|1.5", {"station": {"S": "x"}, "noted": {"N": "1.5"}})]), schema)
    assert fractions.mappings["properties"]["noted"] == {"type": "keyword"}


def test_only_the_key_of_an_empty_table_is_mapped() -> None:
    inferred = infer(Survey(), KeySchema(("id", "at"), ("B", "N")))
    assert inferred.mappings["properties"] == {"id": {"type": "keyword"}, "at": {"type": "long"}}
    assert (inferred.fields, inferred.facets, inferred.sorts) == ({}, (), {})


def infer_rows(**attributes: list[dict[str, Any]]) -> Inferred:
    rows = zip(*attributes.values(), strict=True)
    items = [{"id": {"S": str(n)}, **dict(zip(attributes, row, strict=True))} for n, row in enumerate(rows)]
    return infer(Survey.of((item["id"]["S"], item) for item in items), SCHEMA)


def test_search_options_are_text_fields_repeated_values_and_sortable_fields() -> None:
    inferred = infer_rows(
        remark=texts("a b", "c d", "e f", "g h"),
        title=texts("one two", "two three", "three four", "four five"),
        state=texts("open", "open", "open", "open"),
        price=numbers("1", "2", "3.5", "4"),
        made=texts(*["2026-01-31"] * 4),
        sizes=[{"NS": ["1", "2"]}] * 4,
        q=texts("open", "open", "open", "open"),
    )
    assert inferred.fields == {"title": 3, "remark": 1}
    properties = inferred.mappings["properties"]
    assert (properties["title"], properties["remark"]) == (TEXT, PLAIN_TEXT)
    assert inferred.facets == ("state",), "q is a parameter of the search service"
    assert inferred.sorts == {"price": "price", "made": "-made"}


@pytest.mark.parametrize("values", [case[0] for case in {**CASES, **CONFLICTS}.values()], ids=[*CASES, *CONFLICTS])
def test_example_item_fits_the_mapping_and_holds_no_sampled_value(values: list[dict[str, Any]]) -> None:
    surveyed = survey(values)
    item = example_item(surveyed, {"id": "S"})
    assert rejections(infer(surveyed, SCHEMA).mappings, plain(item)) == []
    assert "example.org" not in json.dumps(item)
    assert "day1" not in json.dumps(item)
