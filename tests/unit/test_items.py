"""Items survive the round trip through JSON."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dynadex.document.body import encode
from dynadex.document.identity import KeySchema
from dynadex.document.typed_json import plain
from dynadex.http.items import item_of, sent_attributes

SCHEMA = KeySchema(("id",), ("S",))
KEY = {"id": {"S": "x"}}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37).map(str),
    st.sampled_from(["1.50", "-0", "1E+3", "0.1", "1e-130", "9.9999999999999999999999999999999999999E+125"]),
)
SCALARS = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.binary(max_size=8).map(lambda content: {"B": content}),
    st.lists(TEXTS, min_size=1, max_size=4, unique=True).map(lambda texts: {"SS": texts}),
    st.lists(st.integers().map(str), min_size=1, max_size=4, unique=True).map(lambda numbers: {"NS": numbers}),
    st.lists(st.binary(max_size=4), min_size=1, max_size=4, unique=True).map(lambda contents: {"BS": contents}),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda parts: {"L": parts}),
        st.dictionaries(TEXTS, inner, max_size=4).map(lambda parts: {"M": parts}),
    ),
    max_leaves=12,
)
ITEMS = st.dictionaries(TEXTS.filter(lambda name: name != "id"), VALUES, max_size=5).map(
    lambda attributes: attributes | KEY
)


def put(current: Any, body: Any) -> Any:
    return item_of(KEY, sent_attributes(SCHEMA, KEY, encode(body)), current)


@settings(derandomize=True, deadline=None)
@given(item=ITEMS)
def test_item_sent_back_unchanged_is_stored_unchanged(item: dict[str, Any]) -> None:
    assert put(item, plain(item)) == item


@settings(derandomize=True, deadline=None)
@given(item=ITEMS, other=ITEMS)
def test_item_that_replaces_any_other_reads_back_as_sent(item: dict[str, Any], other: dict[str, Any]) -> None:
    """Except for the order of a list that becomes a set, which has no order."""
    body = plain(other)
    assert _sorted_lists(plain(put(item, body))) == _sorted_lists(body)


@settings(derandomize=True, deadline=None)
@given(item=ITEMS, name=TEXTS.filter(lambda name: name != "id"), value=VALUES)
def test_changing_one_attribute_leaves_the_others_unchanged(item: dict[str, Any], name: str, value: Any) -> None:
    body = plain(item) | plain({name: value})
    stored = put(item, body)
    assert {other: stored[other] for other in item if other != name} == {
        other: item[other] for other in item if other != name
    }


def _sorted_lists(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_sorted_lists(part) for part in value), key=repr)
    if isinstance(value, dict):
        return {name: _sorted_lists(part) for name, part in value.items()}
    return value
