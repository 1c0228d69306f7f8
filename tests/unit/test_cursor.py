"""Cursors: sort values survive the round trip, and invalid cursors are rejected."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynadex.search import cursor
from dynadex.search.problem import Problem

VALUES = st.none() | st.text(max_size=40) | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False).filter(abs)


@given(st.lists(VALUES, min_size=1, max_size=8), st.text(max_size=20))
def test_sort_values_survive_the_round_trip(values: list[cursor.Value], q: str) -> None:
    finite = [value for value in values if not isinstance(value, float) or abs(value) != float("inf")] or [None]
    text = cursor.encode(finite, (q, None))
    assert text is not None
    assert cursor.decode(text, (q, None)) == tuple(finite)


def test_decimal_score_is_encoded_as_a_number() -> None:
    text = cursor.encode([Decimal("12.5"), "a"], "q")
    assert text is not None
    assert cursor.decode(text, "q") == (12.5, "a")


def test_cursor_of_another_search_is_rejected() -> None:
    text = cursor.encode([1, "a"], ("reel", None))
    assert text is not None
    with pytest.raises(Problem):
        cursor.decode(text, ("jig", None))


def test_values_too_long_for_a_url_have_no_cursor() -> None:
    assert cursor.encode(["x" * cursor.MAX_CURSOR], "q") is None


@pytest.mark.parametrize("content", [{}, [], ["x"], ["x", 1], 7, None, "text"])
def test_json_that_is_not_a_cursor_is_rejected(content: object) -> None:
    with pytest.raises(Problem) as raised:
        cursor.decode(urlsafe_b64encode(orjson.dumps(content)).decode(), "q")
    assert raised.value.code == "bad_cursor"


@pytest.mark.parametrize("value", ["true", "[]", "{}", "NaN", "1e999"])
def test_cursor_holds_only_numbers_texts_and_null(value: str) -> None:
    text = cursor.encode([1, 2], "q")
    assert text is not None
    fingerprint = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))[0]
    with pytest.raises(Problem):
        cursor.decode(urlsafe_b64encode(f'["{fingerprint}",{value}]'.encode()).decode(), "q")


@given(st.text(max_size=200))
def test_any_text_that_is_not_a_cursor_is_rejected(text: str) -> None:
    with pytest.raises(Problem):
        cursor.decode(text, "q")
