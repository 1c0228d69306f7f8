"""Typed JSON to plain values and back, for each type of DynamoDB."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from dynadex.document.body import encode
from dynadex.document.typed_json import binary, number, plain, typed, value

# The nesting limit of DynamoDB.
_MAX_DEPTH = 32

VECTORS: dict[str, tuple[dict[str, Any], Any]] = {
    "text": ({"S": "Ríl 🎻"}, "Ríl 🎻"),
    "no text": ({"S": ""}, ""),
    "text that looks like a number": ({"S": "1.50"}, "1.50"),
    "a number": ({"N": "42"}, 42),
    "a negative number": ({"N": "-42"}, -42),
    "zero": ({"N": "0"}, 0),
    "negative zero": ({"N": "-0"}, 0),
    "18 digits": ({"N": "999999999999999999"}, 999999999999999999),
    "19 digits within 64 bits": ({"N": "1234567890123456789"}, 1234567890123456789),
    "the largest 64-bit integer": ({"N": "9223372036854775807"}, 2**63 - 1),
    "one more": ({"N": "9223372036854775808"}, Decimal(2**63)),
    "the smallest 64-bit integer": ({"N": "-9223372036854775808"}, -(2**63)),
    "one less": ({"N": "-9223372036854775809"}, Decimal(-(2**63) - 1)),
    "20 digits": ({"N": "12345678901234567890"}, Decimal("12345678901234567890")),
    "38 digits": ({"N": "12345678901234567890123456789012345678"}, Decimal("12345678901234567890123456789012345678")),
    "38 digits of a fraction": (
        {"N": "0.12345678901234567890123456789012345678"},
        Decimal("0.12345678901234567890123456789012345678"),
    ),
    "the largest exponent": ({"N": "1E+125"}, Decimal("1E+125")),
    "the smallest exponent": ({"N": "1E-130"}, Decimal("1E-130")),
    "a fraction with a zero at its end": ({"N": "1.50"}, Decimal("1.50")),
    "true": ({"BOOL": True}, True),
    "false": ({"BOOL": False}, False),
    "null": ({"NULL": True}, None),
    "a list": ({"L": [{"N": "1"}, {"S": "a"}, {"NULL": True}]}, [1, "a", None]),
    "an empty list": ({"L": []}, []),
    "a map": ({"M": {"b": {"BOOL": True}, "a": {"L": [{"M": {}}]}}}, {"b": True, "a": [{}]}),
    "a set of text": ({"SS": ["b", "a", "ä"]}, ["a", "b", "ä"]),
    "a set of numbers": ({"NS": ["10", "9", "1E+1", "-1.5"]}, [Decimal("-1.5"), 9, 10, Decimal("1E+1")]),
    "binary as bytes": ({"B": b"\x00\xff\xfe"}, "AP/+"),
    "binary as base64 text": ({"B": "AP/+"}, "AP/+"),
    "a set of binary as bytes": ({"BS": [b"\xff", b"\x00"]}, ["/w==", "AA=="]),
    "a set of binary as base64 text": ({"BS": ["AA==", "/w=="]}, ["/w==", "AA=="]),
}


def nested(depth: int) -> tuple[dict[str, Any], Any]:
    """Alternating maps and lists, as typed JSON and as plain values."""
    attribute: dict[str, Any] = {"N": "1.50"}
    expected: Any = Decimal("1.50")
    for level in range(depth):
        if level % 2:
            attribute, expected = {"M": {"in": attribute}}, {"in": expected}
        else:
            attribute, expected = {"L": [attribute]}, [expected]
    return attribute, expected


@pytest.mark.parametrize(("attribute", "expected"), VECTORS.values(), ids=VECTORS)
def test_each_attribute_type_becomes_its_plain_value(attribute: dict[str, Any], expected: Any) -> None:
    converted = plain({"it": attribute})["it"]
    assert converted == expected
    assert type(converted) is type(expected)
    assert value(attribute) == expected


@pytest.mark.parametrize(("attribute", "expected"), VECTORS.values(), ids=VECTORS)
def test_each_plain_value_has_a_json_form(attribute: dict[str, Any], expected: Any) -> None:  # noqa: ARG001
    assert encode(plain({"it": attribute})).startswith(b'{"it":')


def test_values_nested_to_the_limit_of_dynamodb_are_converted() -> None:
    attribute, expected = nested(_MAX_DEPTH)
    converted = plain({"it": attribute})
    assert converted == {"it": expected}
    assert encode(converted).count(b"1.50") == 1


@pytest.mark.parametrize("text", ["1.50", "-0.10", "1E+125", "12345678901234567890123456789012345678", "-7"])
def test_number_keeps_every_digit(text: str) -> None:
    assert str(number(text)) == text


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ({"X": "a"}, "'X' is not an attribute type"),
        ({}, "expected one type with its value, got {}"),
        ({"S": "a", "N": "1"}, "expected one type with its value, got {'S': 'a', 'N': '1'}"),
        ({"S": 5}, "expected text, got int"),
        ({"S": None}, "expected text, got NoneType"),
        ({"N": "abc"}, "'abc' is not a number"),
        ({"N": ""}, "'' is not a number"),
        ({"N": "NaN"}, "'NaN' is not a finite number"),
        ({"N": "-Infinity"}, "'-Infinity' is not a finite number"),
        ({"N": 5}, "expected a number as text, got int"),
        ({"BOOL": "true"}, "expected true or false, got 'true'"),
        ({"L": [{"N": "x"}]}, "'x' is not a number"),
        ({"L": "ab"}, ""),
        ({"M": {"deep": {"X": 1}}}, "'X' is not an attribute type"),
        ({"M": [1]}, ""),
        ({"NS": ["1", "two"]}, "'two' is not a number"),
        ({"B": 5}, ""),
        ({"BS": [5]}, ""),
        ("plain text", "expected one type with its value, got 'plain text'"),
        (None, ""),
    ],
    ids=str,
)
def test_error_names_the_invalid_attribute(attribute: Any, reason: str) -> None:
    with pytest.raises(ValueError, match="attribute 'broken' is not DynamoDB typed JSON") as caught:
        plain({"fine": {"S": "a"}, "broken": attribute})
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("plain_value", "attribute"),
    [
        (None, {"NULL": True}),
        (True, {"BOOL": True}),
        (7, {"N": "7"}),
        (Decimal("1.50"), {"N": "1.50"}),
        ("a", {"S": "a"}),
        ([1, [False]], {"L": [{"N": "1"}, {"L": [{"BOOL": False}]}]}),
        ({"a": {}}, {"M": {"a": {"M": {}}}}),
    ],
    ids=str,
)
def test_json_value_round_trips_through_an_attribute_value(plain_value: Any, attribute: dict[str, Any]) -> None:
    assert typed(plain_value) == attribute
    assert value(typed(plain_value)) == plain_value


@pytest.mark.parametrize("plain_value", [1.5, b"a", {1}, object()], ids=["float", "bytes", "set", "object"])
def test_value_that_is_not_json_has_no_attribute_type(plain_value: Any) -> None:
    with pytest.raises(TypeError, match=r"has no DynamoDB attribute type"):
        typed(plain_value)


@pytest.mark.parametrize(
    "content", [b"\x00\xff\xfe", bytearray(b"\x00\xff\xfe"), "AP/+"], ids=["bytes", "array", "text"]
)
def test_bytes_and_base64_text_become_the_same_text(content: bytes | bytearray | str) -> None:
    assert binary(content) == "AP/+"
