"""Change tokens: opaque texts that identify a write, so that a later search can wait for it.

A token is not secret and grants nothing: a forged token only makes a public search wait for a moment. Tokens are
therefore validated but not signed.
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
from dynadex.search.request import bad_change_token

_DIGEST_BYTES = 12
_MAX_TIME_US = 2**53


@dataclass(frozen=True, slots=True)
class ChangeToken:
    """A write of one item.

    Attributes:
        identity: The id of the item's document.
        fingerprint: The fingerprint of the document after the write, or None if the document must not exist.
        written_us: A time at or after the write, in microseconds since the epoch.
    """

    identity: str
    fingerprint: str | None
    written_us: int

    def __str__(self) -> str:
        packed = orjson.dumps([self.identity, self.fingerprint, self.written_us])
        return urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> ChangeToken:
        """Return the token in a text. Raises Problem if the text is not a change token."""
        try:
            content = orjson.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        except ValueError:
            raise bad_change_token() from None
        if not isinstance(content, list) or list(map(type, content)) not in ([str, str, int], [str, type(None), int]):
            raise bad_change_token()
        token = cls(*content)
        if len(token.identity.encode()) > MAX_ID_BYTES or not 0 <= token.written_us < _MAX_TIME_US:
            raise bad_change_token()
        return token


def fingerprint(body: bytes | None) -> str | None:
    """Return a hash of a JSON document that is equal for equal documents, with numbers compared by value."""
    if body is None:
        return None
    return fingerprint_of(decode_json(body))


def fingerprint_of(source: Any) -> str:
    """Return the fingerprint of a document as OpenSearch returns it."""
    packed = orjson.dumps(_canonical(source), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        # In a list, so that no text equals a number.
        return [canonical_number(str(value)), 0]
    return value
