"""A document to the bytes of its body, and back, without losing a digit.

orjson writes the JSON; a Decimal goes in as its own text, so that numbers of up to 38 digits stay exact. Reading
back uses the standard library with Decimals, since orjson reads such numbers as floats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

import orjson


class Built(NamedTuple):
    """What an item becomes in the index: the bytes of a document, nothing (not indexed), or a problem.

    ``problem`` says why no document could be made; its key is dead-lettered, and no document stays behind.
    """

    body: bytes | None = None
    problem: str = ""


NOT_INDEXED = Built()
_NEVER_INFINITE = frozenset((str, int, bool, type(None), Decimal))


def encode(document: Mapping[str, Any]) -> bytes:
    """The document as JSON bytes, its fields in their given order.

    Raises ValueError when a value has no JSON form (a set, an object, text that is no Unicode).
    """
    try:
        body = orjson.dumps(document, default=_exact)
    except orjson.JSONEncodeError as error:
        body = _encode_slowly(document, error)
    if b"null" in body:
        _refuse_not_finite(document)
    return body


def decode(body: bytes | str) -> Any:
    """JSON with exact numbers: int, or Decimal for anything with a fraction or an exponent."""
    return json.loads(body, parse_float=Decimal)


def same(body: bytes | None, stored: Any) -> bool:
    """Whether a stored source says the same as a document's bytes; numbers by value ("1.50" equals "1.5").

    None stands for "no document".
    """
    if body is None or stored is None:
        return body is None and stored is None
    return _same(decode(body), stored)


def _same(one: Any, other: Any) -> bool:
    """Equal, where Python's own equality would take true for 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value).encode("ascii"))
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r:.80} has no JSON form")


def _refuse_not_finite(document: Mapping[str, Any]) -> None:
    """Raise ValueError where orjson wrote null for a float that is none in JSON, and so not what was meant."""
    pending: list[Any] = [document]
    while pending:
        part = pending.pop()
        for value in part.values() if isinstance(part, Mapping) else part:
            if type(value) in _NEVER_INFINITE:
                continue
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"the document has no JSON form: float {value} is not finite")
            if isinstance(value, Mapping | list | tuple):
                pending.append(value)


def _encode_slowly(document: Mapping[str, Any], first_error: Exception) -> bytes:
    """Integers past 64 bits, which orjson refuses, go in as text; anything else it refused stays refused."""
    try:
        return orjson.dumps(_big_integers_as_fragments(document), default=_exact)
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
