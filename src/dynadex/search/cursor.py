"""Cursors: the sort values of a page's last hit become an opaque text, and the text becomes sort values again.

A cursor holds the sort values of the last hit, the last of them unique (see `sort_order.order`), and a fingerprint of
the search it belongs to. It is not secret and grants nothing: a forged cursor starts at another place in a public list.
Cursors are therefore validated but not signed.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from dynadex.search.problem import Problem, bad_request

Value = str | int | float | None

# Characters. Long enough for a title and a key, short enough for a URL that also holds a query and its filters.
MAX_CURSOR = 4096
MAX_VALUES = 8


def encode(values: Sequence[Any], identity: object) -> str | None:
    """Return the cursor after a hit with these sort values, or None if it would be too long for a URL.

    ``identity`` identifies the search: JSON that is equal for all pages of one search.
    """
    packed = orjson.dumps([_fingerprint(identity), *(_json_value(value) for value in values)])
    text = urlsafe_b64encode(packed).decode().rstrip("=")
    return text if len(text) <= MAX_CURSOR else None


def decode(text: str, identity: object) -> tuple[Value, ...]:
    """Return the sort values in a cursor. Raises Problem if it is malformed or belongs to another search."""
    if len(text) > MAX_CURSOR:
        raise bad_cursor()
    try:
        # binascii skips characters outside the alphabet; the fingerprint and the types are checked below.
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        content = orjson.loads(packed)
    except ValueError:
        raise bad_cursor() from None
    if not isinstance(content, list) or not 2 <= len(content) <= MAX_VALUES + 1:
        raise bad_cursor()
    fingerprint, *values = content
    if fingerprint != _fingerprint(identity) or not all(_is_value(value) for value in values):
        raise bad_cursor()
    return tuple(values)


def bad_cursor() -> Problem:
    """Return the Problem of an invalid cursor."""
    return bad_request("bad_cursor", "The cursor does not belong to this search. Omit it to get the first page.")


def _json_value(value: Any) -> Value:
    """Return a sort value as JSON can hold it: replies are parsed with exact numbers, so a score may be a Decimal."""
    return value if isinstance(value, str | int) or value is None else float(value)


def _is_value(value: object) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def _fingerprint(identity: object) -> str:
    return hashlib.blake2s(orjson.dumps(identity), digest_size=6).hexdigest()
