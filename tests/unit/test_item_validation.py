"""Validation of values against the mapping of their field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynadex.http.item_validation import problems

WHOLE = "It must be a whole number."
NUMBER = "It must be a number."
TRUTH = "It must be true or false."


@pytest.mark.parametrize(
    ("spec", "value", "message"),
    [
        # Stricter than the index.
        ({"type": "integer"}, 5, None),
        ({"type": "integer"}, Decimal("5.0"), None),
        ({"type": "integer"}, None, None),
        ({"type": "integer"}, [1, [2, None]], None),
        ({"type": "integer"}, "5", WHOLE),
        ({"type": "integer"}, "", WHOLE),
        ({"type": "integer"}, Decimal("5.5"), WHOLE),
        ({"type": "integer"}, Decimal("1e-100"), WHOLE),
        ({"type": "integer"}, True, WHOLE),
        ({"type": "integer"}, {"a": 1}, WHOLE),
        ({"type": "integer"}, [1, "2"], WHOLE),
        ({"type": "integer", "ignore_malformed": True}, "5", None),
        ({"type": "float"}, Decimal("1.25"), None),
        ({"type": "float"}, "1.25", NUMBER),
        ({"type": "scaled_float", "scaling_factor": 100}, "1", NUMBER),
        ({"type": "boolean"}, False, None),
        ({"type": "boolean"}, "false", TRUTH),
        ({"type": "boolean"}, "", TRUTH),
        # What the index rejects.
        ({"type": "integer"}, 2**31, "The number is outside the range of type integer."),
        ({"type": "integer"}, Decimal("8e226"), "The number is outside the range of type integer."),
        ({"type": "unsigned_long"}, 2**64 - 1, None),
        ({"type": "double"}, Decimal("1e125"), None),
        ({"type": "half_float"}, 70000, "The number is too large for type half_float."),
        ({"type": "text"}, 5, None),
        ({"type": "text"}, "x" * 40_000, None),
        ({"type": "text"}, {"en": "a"}, "Fields of type text do not accept an object."),
        ({"type": "keyword", "ignore_above": 256}, "x" * 40_000, None),
        ({"type": "date"}, "2026-11-24", None),
        ({"type": "date"}, "tomorrow", "Fields of type date do not accept text that is not a date."),
        ({"type": "ip"}, "192.0.2.256", "Fields of type ip accept only IP addresses."),
        ({"type": "geo_point"}, {"lat": 1, "lon": 2}, None),
        ({"properties": {}}, "a", "Fields of type object do not accept text."),
        ({"type": "nested"}, [{}, "a"], "Fields of type nested do not accept text."),
        ({"type": "object", "enabled": False}, "a", None),
    ],
)
def test_value_is_validated_against_its_mapping(spec: dict[str, Any], value: Any, message: str | None) -> None:
    assert problems({"properties": {"field": spec}}, {"field": value}) == (
        [{"name": "field", "message": message}] if message else []
    )


def test_problem_within_an_object_has_the_path_of_the_field() -> None:
    mappings = {"properties": {"place": {"properties": {"floor": {"type": "short"}}}}}
    assert problems(mappings, {"place": {"floor": 2**15}})[0]["name"] == "place.floor"
    assert problems(mappings, {"place": [{"floor": 1}, {"floor": "cellar"}]}) == [
        {"name": "place.floor", "message": WHOLE}
    ]


def test_each_field_has_one_problem() -> None:
    mappings = {"properties": {"a": {"type": "integer"}, "b": {"type": "boolean"}, "c": {"type": "text"}}}
    document = {"a": ["x", "y"], "b": "x", "c": "x"}
    assert [problem["name"] for problem in problems(mappings, document)] == ["a", "b"]


def test_term_too_long_for_a_keyword_is_a_problem_of_the_sub_field() -> None:
    mappings = {"properties": {"title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}}
    [problem] = problems(mappings, {"title": "x" * 40_000})
    assert problem["name"] == "title.raw"
    assert "32766 bytes" in problem["message"]


def test_unmapped_field_holds_any_value_unless_the_mapping_is_strict() -> None:
    assert problems({"dynamic": False, "properties": {}}, {"more": [1, "a", {}]}) == []
    assert problems({"dynamic": "strict", "properties": {}}, {"more": 1}) == [
        {"name": "more", "message": "The mapping is strict and does not have this field."}
    ]
