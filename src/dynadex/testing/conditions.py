"""Internal: evaluates the condition expressions that dynadex writes, as DynamoDB does.

``attribute_exists(#name)``, ``attribute_not_exists(#name)``, ``#name = :value``, AND, OR, and parentheses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_TOKEN = re.compile(r"\s*([#:]?\w+|[()=])")


def holds(expression: str, names: Mapping[str, str], values: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """Return whether the expression holds for the item (empty: no item). Raises ValueError for any other syntax."""
    tokens = _TOKEN.findall(expression)
    if "".join(tokens) != "".join(expression.split()):
        raise ValueError(f"{expression!r} is not a supported condition expression")
    result = _Evaluation(tokens, names, values, item).disjunction()
    if tokens:
        raise ValueError(f"{expression!r} has {tokens[0]!r} after its end")
    return result


class _Evaluation:
    """Parses and evaluates in one pass; AND binds closer than OR."""

    def __init__(
        self, tokens: list[str], names: Mapping[str, str], values: Mapping[str, Any], item: Mapping[str, Any]
    ) -> None:
        self._tokens = tokens
        self._names = names
        self._values = values
        self._item = item

    def disjunction(self) -> bool:
        result = self._conjunction()
        while self._take("OR"):
            result = self._conjunction() or result
        return result

    def _conjunction(self) -> bool:
        result = self._term()
        while self._take("AND"):
            result = self._term() and result
        return result

    def _term(self) -> bool:
        if self._take("("):
            result = self.disjunction()
            self._expect(")")
            return result
        word = self._tokens.pop(0)
        if word in ("attribute_exists", "attribute_not_exists"):
            self._expect("(")
            exists = self._names[self._tokens.pop(0)] in self._item
            self._expect(")")
            return exists is (word == "attribute_exists")
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


def _equal(left: Any, right: Any) -> bool:
    if left and right and "N" in left and "N" in right:
        return Decimal(left["N"]) == Decimal(right["N"])
    return bool(left == right)
