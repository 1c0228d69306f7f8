"""Cursors: what they carry comes back, and what somebody made up does not."""

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
def test_sort_values_come_back_as_they_were(values: list[cursor.Value], q: str) -> None:
    finite = [value for value in values if not isinstance(value, float) or abs(value) != float("inf")] or [None]
    text = cursor.encode(finite, (q, None))
    assert text is not None
    assert cursor.decode(text, (q, None)) == tuple(finite)


def test_a_score_that_was_read_exactly_is_carried_as_a_number() -> None:
    text = cursor.encode([Decimal("12.5"), "a"], "q")
    assert text is not None
    assert cursor.decode(text, "q") == (12.5, "a")


def test_a_cursor_belongs_to_one_search() -> None:
    text = cursor.encode([1, "a"], ("reel", None))
    assert text is not None
    with pytest.raises(Problem):
        cursor.decode(text, ("jig", None))


def test_values_too_long_for_an_address_make_no_cursor() -> None:
    assert cursor.encode(["x" * cursor.MAX_CURSOR], "q") is None


@pytest.mark.parametrize("held", [{}, [], ["x"], ["x", 1], 7, None, "text"])
def test_json_that_is_no_cursor_is_refused(held: object) -> None:
    with pytest.raises(Problem) as raised:
        cursor.decode(urlsafe_b64encode(orjson.dumps(held)).decode(), "q")
    assert raised.value.code == "bad_cursor"


@pytest.mark.parametrize("value", ["true", "[]", "{}", "NaN", "1e999"])
def test_only_numbers_texts_and_null_may_be_in_it(value: str) -> None:
    made = cursor.encode([1, 2], "q")
    assert made is not None
    fingerprint = orjson.loads(urlsafe_b64decode(made + "=" * (-len(made) % 4)))[0]
    with pytest.raises(Problem):
        cursor.decode(urlsafe_b64encode(f'["{fingerprint}",{value}]'.encode()).decode(), "q")


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(Problem):
        cursor.decode(text, "q")
