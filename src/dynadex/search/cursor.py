"""Where the next page starts, as an opaque text: pure.

A cursor holds the sort values of a page's last hit, the last of them unique (see `sort_order.order`), and a
fingerprint of the search it belongs to. It is no secret and grants nothing: whoever makes one up starts somewhere else
in a list that is public. So it is checked, not signed.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from dynadex.search.problem import Problem, bad_request

Value = str | int | float | None

# A title and a key, with room: as much as fits into an address beside a query and its filters.
MAX_CURSOR = 4096
MAX_VALUES = 8


def encode(values: Sequence[Any], identity: object) -> str | None:
    """The cursor after a hit with these sort values; None when one of them is too long for an address."""
    packed = orjson.dumps([_fingerprint(identity), *(_plain(value) for value in values)])
    text = urlsafe_b64encode(packed).decode().rstrip("=")
    return text if len(text) <= MAX_CURSOR else None


def decode(text: str, identity: object) -> tuple[Value, ...]:
    """The sort values in a cursor; raises Problem when it is none, or belongs to another search."""
    if len(text) > MAX_CURSOR:
        raise bad_cursor()
    try:
        # binascii takes characters that are none of the alphabet for nothing at all.
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        held = orjson.loads(packed)
    except ValueError:
        raise bad_cursor() from None
    if not isinstance(held, list) or not 2 <= len(held) <= MAX_VALUES + 1:
        raise bad_cursor()
    fingerprint, *values = held
    if fingerprint != _fingerprint(identity) or not all(_is_value(value) for value in values):
        raise bad_cursor()
    return tuple(values)


def bad_cursor() -> Problem:
    """What to answer to a cursor that is none."""
    return bad_request("bad_cursor", "The cursor does not belong to this search; leave it out for the first page.")


def _plain(value: Any) -> Value:
    """OpenSearch writes numbers and texts; a reader of exact numbers made Decimals of some."""
    return value if isinstance(value, str | int) or value is None else float(value)


def _is_value(value: object) -> bool:
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def _fingerprint(identity: object) -> str:
    return hashlib.blake2s(orjson.dumps(identity), digest_size=6).hexdigest()
