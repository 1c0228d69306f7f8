"""Condition expressions of the in-memory table."""

from __future__ import annotations

from typing import Any

import pytest

from dynadex.testing.conditions import holds

NAMES = {"#k": "id", "#v": "version"}
VALUES: dict[str, Any] = {":nought": {"N": "0"}, ":two": {"N": "2.0"}, ":text": {"S": "2"}}
ITEM: dict[str, Any] = {"id": {"S": "x"}, "version": {"N": "2"}}


@pytest.mark.parametrize(
    ("expression", "with_item", "without_item"),
    [
        ("attribute_exists(#k)", True, False),
        ("attribute_not_exists(#k)", False, True),
        ("#v = :two", True, False),
        ("#v=:text", False, False),
        ("attribute_exists ( #k ) AND #v = :nought", False, False),
        ("attribute_not_exists(#k) OR #v = :two", True, True),
        ("attribute_exists(#k) AND (attribute_not_exists(#v) OR #v = :nought)", False, False),
        ("attribute_not_exists(#k) OR #v = :two AND #v = :nought", False, True),
        ("(attribute_not_exists(#k) OR #v = :two) AND #v = :nought", False, False),
    ],
)
def test_expression_is_evaluated(expression: str, with_item: bool, without_item: bool) -> None:
    assert holds(expression, NAMES, VALUES, ITEM) is with_item
    assert holds(expression, NAMES, VALUES, {}) is without_item


@pytest.mark.parametrize("expression", ["#v > :two", "#v = :two AND", "#v = :two #k", "size(#v) = :two", "#v <> :two"])
def test_unsupported_expression_raises(expression: str) -> None:
    with pytest.raises((ValueError, IndexError, KeyError)):
        holds(expression, NAMES, VALUES, ITEM)
