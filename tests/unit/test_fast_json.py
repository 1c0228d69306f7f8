"""The fast path from typed JSON to the bytes of a document gives the same bytes as the slow path."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynadex.document import fast_json
from dynadex.document.body import encode
from dynadex.document.fast_json import body_of
from dynadex.document.typed_json import plain

# Texts that often contain the syntax of JSON, of typed JSON and of the fast path.
TEXTS = st.text(st.sampled_from('ab"\\{}[]:,\0\n/é🎻') | st.characters(), max_size=8) | st.sampled_from(
    ['{"S":"a"}', '"}', "}}", "]}", '{"N":"1"}', "\\u0000", "\0", '\\"', "\\", '{"M":{', "null", "true"]
)
NAMES = st.sampled_from(["a", "b", "S", "N", "M", "L", "BOOL", "NULL", "\0", 'a"b', "SS", "}}"]) | TEXTS
NUMBERS = (
    st.integers(-(10**40), 10**40).map(str)
    | st.integers(-20, 20).map(str)
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
    | st.from_regex(r"-?[0-9]{1,22}(\.[0-9]{1,22})?([Ee][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.sampled_from(
        ["0", "-0", "00", "007", "+5", "0.0", "0.0000001", "-0.000000", "1.50", "1E+125", "٣", "5.", ".5"]
    )
)
SCALARS = (
    TEXTS.map(lambda text: {"S": text})
    | NUMBERS.map(lambda text: {"N": text})
    | st.booleans().map(lambda boolean: {"BOOL": boolean})
    | st.just({"NULL": True})
    | st.sampled_from(["AP/+", ""]).map(lambda text: {"B": text})
    | st.lists(TEXTS, min_size=1, max_size=3).map(lambda texts: {"SS": texts})
    | st.lists(NUMBERS, min_size=1, max_size=3).map(lambda texts: {"NS": texts})
    | st.lists(st.sampled_from(["AP/+", "AA=="]), max_size=2).map(lambda texts: {"BS": texts})
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: {"L": parts})
        | st.dictionaries(NAMES, inner, max_size=4).map(lambda parts: {"M": parts})
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=6)
# Values that are sometimes not valid typed JSON, at any depth.
BROKEN: st.SearchStrategy[Any] = st.sampled_from(
    [5, None, "a", {}, [], {"S": 5}, {"S": "a", "N": "1"}, {"N": 5}, {"N": "x"}, {"BOOL": "true"}, {"BOOL": 1},
     {"X": "a"}, {"L": "ab"}, {"M": [1]}, {"L": {"S": "a"}}, {"M": {"S": "a"}}, {"NULL": False}, {"S": b"a"},
     {"B": b"a"}, {"S": {"S": "a"}}, {"S": None}, {"S": "\ud800"}, {"NS": ["x"]}, {"N": "1", "S": "a"}, {"N": None},
     {"L": ""}, {"L": [], "M": {}}]
)  # fmt: skip
BROKEN_ITEMS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS | BROKEN,
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda parts: {"L": parts})
            | st.dictionaries(NAMES, inner, max_size=3).map(lambda parts: {"M": parts})
        ),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)


def slow_body(item: Any) -> bytes | str:
    """The body, or the error."""
    try:
        return encode(plain(item))
    except ValueError as error:
        return str(error)


def fast_body(item: Any) -> bytes | str:
    """The body, or the error."""
    if fast_json._converted.cache_info().misses > 100:
        # The random items rarely share a shape, which would switch the cache off.
        fast_json._converted.cache_clear()
    try:
        return body_of(item)
    except ValueError as error:
        return str(error)


@settings(deadline=None, max_examples=200)
@given(ITEMS)
def test_fast_way_gives_the_same_bytes(item: Any) -> None:
    assert fast_body(item) == slow_body(item)


@settings(deadline=None, max_examples=150)
@given(BROKEN_ITEMS)
def test_fast_way_raises_the_same_error(item: Any) -> None:
    assert fast_body(item) == slow_body(item)


@settings(deadline=None, max_examples=50)
@given(ITEMS)
def test_fast_way_gives_the_same_bytes_for_a_parsed_event(item: Any) -> None:
    event = json.loads(json.dumps(item))
    assert fast_body(event) == slow_body(event)


def nested(text: str, number: str) -> dict[str, Any]:
    return {
        "text": {"S": text},
        "list": {"L": [{"N": number}, {"M": {"deep": {"S": text}, "on": {"BOOL": True}}}, {"NULL": True}]},
    }


def test_items_of_one_shape_share_its_conversion() -> None:
    fast_json._converted.cache_clear()
    for position in range(50):
        item = nested(f'"{{{position}', str(position - 25))
        assert body_of(item) == encode(plain(item))
    assert fast_json._converted.cache_info().misses == 1


@pytest.mark.parametrize(
    "item",
    [
        {"list": {"L": []}, "set": {"SS": ["b", "a"]}},
        {"list": {"L": [{"N": "1E+5"}]}},
        {"map": {"M": {f"name{number}": {"S": "a"} for number in range(2000)}}},
    ],
    ids=["a set", "a number in another notation", "a shape of many names"],
)
def test_item_with_a_unique_shape_is_not_cached(item: dict[str, Any]) -> None:
    fast_json._converted.cache_clear()
    assert body_of(item) == encode(plain(item))
    assert fast_json._converted.cache_info().currsize == 0


def test_cache_is_not_used_if_shapes_do_not_recur() -> None:
    fast_json._converted.cache_clear()
    for number in range(1000):
        item = {"map": {"M": {f"name{number}": {"S": "a"}}}}
        assert body_of(item) == encode(plain(item))
    assert fast_json._converted.cache_info().misses == fast_json._MAX_SHAPES
    fast_json._converted.cache_clear()
