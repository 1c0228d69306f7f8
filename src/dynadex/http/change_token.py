"""What a write leaves in the hands of its writer, to know when searches show it: pure.

A token is no secret and grants nothing: whoever makes one up makes a search wait for a moment, and a search is public.
So it is checked, not signed.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson

from dynadex.document.body import decode as decode_json
from dynadex.document.identity import MAX_ID_BYTES, canonical_number
from dynadex.search.problem import Problem, bad_request

_DIGEST_BYTES = 12
_LATEST_US = 2**53


@dataclass(frozen=True, slots=True)
class ChangeToken:
    """A write of one item: the id of its document, what the document must look like, and when it was written.

    ``fingerprint`` None: there must be no document. ``written_us``: microseconds since the epoch, not before the write.
    """

    identity: str
    fingerprint: str | None
    written_us: int

    def __str__(self) -> str:
        packed = orjson.dumps([self.identity, self.fingerprint, self.written_us])
        return urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> ChangeToken:
        """The token that ``text`` is; raises Problem when it is none."""
        try:
            held = orjson.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        except ValueError:
            raise _bad() from None
        if not isinstance(held, list) or list(map(type, held)) not in ([str, str, int], [str, type(None), int]):
            raise _bad()
        token = cls(*held)
        if len(token.identity.encode()) > MAX_ID_BYTES or not 0 <= token.written_us < _LATEST_US:
            raise _bad()
        return token


def fingerprint(body: bytes | None) -> str | None:
    """What two documents that say the same have in common, given as JSON; numbers count by their value."""
    if body is None:
        return None
    return fingerprint_of(decode_json(body))


def fingerprint_of(source: Any) -> str:
    """The same, of a document as the index holds it."""
    packed = orjson.dumps(_canonical(source), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        # In a list of its own: no text says the same as a number.
        return [canonical_number(str(value)), 0]
    return value


def _bad() -> Problem:
    return bad_request("bad_change_token", "The parameter 'after' takes the change token of a write.")
