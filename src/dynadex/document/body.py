"""Encoding and decoding of a document as JSON bytes, without loss of digits.

orjson encodes. A Decimal is written as its text, so that numbers of up to 38 digits stay exact. The standard
library decodes, with Decimals, because orjson reads such numbers as floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

import orjson


class Built(NamedTuple):
    """Result of building a document: its bytes, None (the item is not indexed), or a problem.

    Attributes:
        body: The document as JSON bytes; None if there is none.
        problem: Why the document could not be built. The key is dead-lettered, and its document deleted.
    """

    body: bytes | None = None
    problem: str = ""


NOT_INDEXED = Built()
_ALWAYS_FINITE = frozenset((str, int, bool, type(None), Decimal))


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the document as JSON bytes, with its fields in their order.

    Raises ValueError for a value without a JSON form (a set, an object, a float that is not finite, text that is not
    valid Unicode).
    """
    try:
        body = orjson.dumps(document, default=_encode_exactly)
    except orjson.JSONEncodeError as error:
        body = _encode_slowly(document, error)
    if b"null" in body:
        _check_floats_are_finite(document)
    return body


def decode(body: bytes | str) -> Any:
    """Parse JSON with exact numbers: int, or Decimal for a number with a fraction or an exponent."""
    return json.loads(body, parse_float=Decimal)


def same(body: bytes | None, stored: Any) -> bool:
    """Return whether a stored source equals a document's bytes, with numbers compared by value (1.50 equals 1.5).

    None means "no document".
    """
    if body is None or stored is None:
        return body is None and stored is None
    return _same(decode(body), stored)


def _same(left: Any, right: Any) -> bool:
    """Equality that, unlike Python's, distinguishes true from 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _encode_exactly(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value).encode("ascii"))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r:.80} has no JSON form")


def _check_floats_are_finite(document: Mapping[str, Any]) -> None:
    """Raise ValueError for infinity and NaN, which orjson writes as null."""
    pending: list[Any] = [document]
    while pending:
        part = pending.pop()
        for value in part.values() if isinstance(part, Mapping) else part:
            if type(value) in _ALWAYS_FINITE:
                continue
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"the document has no JSON form: float {value} is not finite")
            if isinstance(value, Mapping | list | tuple):
                pending.append(value)


def _encode_slowly(document: Mapping[str, Any], first_error: Exception) -> bytes:
    """Encode with integers of more than 64 bits as fragments; orjson rejects them. Other errors remain."""
    try:
        return orjson.dumps(_big_integers_as_fragments(document), default=_encode_exactly)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise ValueError(f"the document has no JSON form: {error.__cause__ or first_error}") from error


def _big_integers_as_fragments(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _big_integers_as_fragments(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_big_integers_as_fragments(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
        return orjson.Fragment(str(value).encode("ascii"))
    return value
