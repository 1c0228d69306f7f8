"""Documents to bytes and back without the loss of a digit, and their equality."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynadex.document.body import decode, encode, same

EXACT: dict[str, tuple[Any, bytes]] = {
    "an integer": (7, b"7"),
    "the largest 64-bit integer": (2**63 - 1, b"9223372036854775807"),
    "the smallest 64-bit integer": (-(2**63), b"-9223372036854775808"),
    "the largest unsigned one": (2**64 - 1, b"18446744073709551615"),
    "one more": (2**64, b"18446744073709551616"),
    "one less than the smallest": (-(2**63) - 1, b"-9223372036854775809"),
    "38 digits": (int("9" * 38), b"9" * 38),
    "38 digits as a Decimal": (Decimal("9" * 38), b"9" * 38),
    "38 digits of a fraction": (Decimal("0." + "1" * 38), b"0." + b"1" * 38),
    "a zero at the end": (Decimal("1.50"), b"1.50"),
    "a large exponent": (Decimal("1E+125"), b"1E+125"),
    "a small exponent": (Decimal("1E-130"), b"1E-130"),
    "negative zero": (Decimal("-0.0"), b"-0.0"),
    "what a float cannot hold": (Decimal("0.1"), b"0.1"),
    "true": (True, b"true"),
    "null": (None, b"null"),
    "text": ('Ríl 🎻 "\\\n\0', '"Ríl 🎻 \\"\\\\\\n\\u0000"'.encode()),
    "a list next to a large integer": ([1, [2**70], {"a": Decimal("1.0")}], b'[1,[1180591620717411303424],{"a":1.0}]'),
}


class Kind(Enum):
    REEL = object()


@pytest.mark.parametrize(("content", "written"), EXACT.values(), ids=EXACT)
def test_value_is_encoded_and_decoded_exactly(content: Any, written: bytes) -> None:
    body = encode({"v": content})
    assert body == b'{"v":' + written + b"}"
    assert decode(body) == {"v": content}
    assert decode(body.decode()) == {"v": content}


def test_numbers_are_decoded_as_int_or_decimal_and_never_as_float() -> None:
    numbers = decode(b"[1, 1.5, 1E2, 123456789012345678901234567890, -0.0]")
    assert [type(number) for number in numbers] == [int, Decimal, Decimal, int, Decimal]


def test_fields_keep_their_order() -> None:
    assert encode({"b": 1, "a": 2}) == b'{"b":1,"a":2}'


def test_any_mapping_type_is_encoded() -> None:
    document = MappingProxyType({"a": MappingProxyType({"b": 2**70})})
    assert encode(document) == b'{"a":{"b":1180591620717411303424}}'


@pytest.mark.parametrize(
    "content",
    [
        {1},
        object(),
        b"bytes",
        Decimal("NaN"),
        Decimal("Infinity"),
        "\ud800",
        {1: "a number as a name"},
        {"big": 2**70, "set": {1}},
        Kind.REEL,
    ],
    ids=lambda content: type(content).__name__,
)
def test_value_without_a_json_form_raises_value_error(content: Any) -> None:
    with pytest.raises(ValueError, match=r"the document has no JSON form: ."):
        encode({"v": content})


def test_document_that_contains_itself_raises_value_error() -> None:
    document: dict[str, Any] = {}
    document["itself"] = document
    with pytest.raises(ValueError, match="the document has no JSON form"):
        encode(document)


SAME: dict[str, tuple[dict[str, Any], Any]] = {
    "equal": ({"a": 1, "b": ["x", None]}, {"b": ["x", None], "a": 1}),
    "a number of another spelling": ({"a": Decimal("1.50")}, {"a": Decimal("1.5")}),
    "an integer as a fraction": ({"a": Decimal("100.0")}, {"a": 100}),
    "an exponent": ({"a": Decimal("1E+2")}, {"a": 100}),
    "no field": ({}, {}),
    "nested": ({"a": {"b": [{"c": Decimal("1.0")}]}}, {"a": {"b": [{"c": 1}]}}),
}
DIFFERENT: dict[str, tuple[dict[str, Any], Any]] = {
    "another value": ({"a": 1}, {"a": 2}),
    "a field more": ({"a": 1, "b": None}, {"a": 1}),
    "a field less": ({"a": 1}, {"a": 1, "b": None}),
    "a number and its text": ({"a": 1}, {"a": "1"}),
    "true and one": ({"a": True}, {"a": 1}),
    "zero and false": ({"a": 0}, {"a": False}),
    "true and one in a list": ({"a": [True]}, {"a": [1]}),
    "true and one deep inside": ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": True}]}}),
    "null and nothing": ({"a": None}, {}),
    "another order in a list": ({"a": [1, 2]}, {"a": [2, 1]}),
    "one element more": ({"a": [1]}, {"a": [1, 1]}),
    "the last of 38 digits": ({"a": int("1" * 38)}, {"a": int("1" * 37 + "2")}),
    "a digit that a float would lose": ({"a": Decimal("0.1000000000000000055")}, {"a": Decimal("0.1")}),
    "a list and an object": ({"a": []}, {"a": {}}),
}


@pytest.mark.parametrize(("document", "stored"), SAME.values(), ids=SAME)
def test_same_compares_by_value(document: dict[str, Any], stored: Any) -> None:
    assert same(encode(document), stored)


@pytest.mark.parametrize(("document", "stored"), DIFFERENT.values(), ids=DIFFERENT)
def test_same_distinguishes_other_values(document: dict[str, Any], stored: Any) -> None:
    assert not same(encode(document), stored)


def test_missing_document_equals_only_a_missing_document() -> None:
    assert same(None, None)
    assert not same(None, {})
    assert not same(b"{}", None)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.text("abc", max_size=2), _JSON, max_size=4))
def test_every_document_round_trips(document: dict[str, Any]) -> None:
    body = encode(document)
    assert decode(body) == document
    assert same(body, decode(body))
