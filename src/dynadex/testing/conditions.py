"""Condition expressions as DynamoDB evaluates them, as far as dynadex writes any: pure.

``attribute_exists(#name)``, ``attribute_not_exists(#name)``, ``#name = :value``, AND, OR, and parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_TOKEN = re.compile(r"\s*([#:]?\w+|[()=])")


def holds(expression: str, names: Mapping[str, str], values: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Whether the expression holds of the item; of none, give an empty one. Raises ValueError for any other syntax."""
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != "".join(expression.split()):
        raise ValueError(f"{expression!r} is not understood here")
    result = _Reader(tokens, names, values, item).either()
    if tokens:
        raise ValueError(f"{expression!r} goes on with {tokens[0]!r}")
    return result


class _Reader:
    """Reads and evaluates at once; AND binds closer than OR."""

    def __init__(
        self, tokens: list[str], names: Mapping[str, str], values: Mapping[str, Any], item: Mapping[str, Any]
    ) -> None:
        self._tokens = tokens
        self._names = names
        self._values = values
        self._item = item

    def either(self) -> bool:
        result = self._both()
        while self._take("OR"):
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._one()
        while self._take("AND"):
            result = self._one() and result
        return result

    def _one(self) -> bool:
        if self._take("("):
            result = self.either()
            self._expect(")")
            return result
        word = self._tokens.pop(0)
        if word in ("attribute_exists", "attribute_not_exists"):
            self._expect("(")
            there = self._names[self._tokens.pop(0)] in self._item
            self._expect(")")
            return there is (word == "attribute_exists")
        self._expect("=")
        return _equal(self._item.get(self._names[word]), self._values[self._tokens.pop(0)])

    def _take(self, token: str) -> bool:
        if self._tokens[:1] == [token]:
            del self._tokens[0]
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"expected {token!r} before {self._tokens[:1]}")


def _equal(one: Any, other: Any) -> bool:
    if one and other and "N" in one and "N" in other:
        return Decimal(one["N"]) == Decimal(other["N"])
    return bool(one == other)
