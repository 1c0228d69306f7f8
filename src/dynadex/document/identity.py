"""The _id of a document, derived from the key of its item. Do not change it: existing indexes depend on every byte.

The _id of a simple key is its text: a string unchanged, a number in canonical decimal notation, binary as base64.
The _id of a composite key is ``partition|sort``, with ``%`` and ``|`` in each part percent-encoded, so that two keys
never collide. An id longer than 512 bytes is shortened to its first 400 bytes, cut at a character, then ``#`` and the
SHA-256 of the whole id: 512 bytes is the limit of OpenSearch, where one longer id fails a whole bulk request. An id
that already looks shortened is shortened as well; otherwise it could collide with the long id that has this short form.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from dynadex.change import Item

MAX_ID_BYTES = 512
_PREFIX_BYTES = 400
_DIGEST = re.compile(r"#[0-9a-f]{64}")
_DIGEST_LENGTH = 65
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
# dict first: an isinstance check against an abstract class is slower.
_MAPPINGS = (dict, Mapping)


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The key attributes of a table, from DescribeTable: names and types (S, N or B), partition key first."""

    names: tuple[str, ...]
    types: tuple[str, ...]

    def key_of(self, item: Item) -> dict[str, Any]:
        """Return the key attributes of an item. Raises ValueError if one is missing."""
        try:
            return {name: item[name] for name in self.names}
        except KeyError as missing:
            raise ValueError(f"key attribute {missing.args[0]!r} is missing") from None


def document_id(schema: KeySchema, key: Item) -> str:
    """Return the _id of the document of the item with this key. Raises ValueError if the schema does not match."""
    if len(schema.names) == 1:
        text = _part_text(key, schema.names[0], schema.types[0])
    else:
        parts = [_part_text(key, name, kind) for name, kind in zip(schema.names, schema.types, strict=True)]
        text = "|".join(_escape(part) for part in parts)
    if len(text) <= _PREFIX_BYTES and text.isascii():
        return text
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise ValueError("the key is not valid Unicode") from None
    if len(encoded) <= MAX_ID_BYTES and not _looks_shortened(text, encoded):
        return text
    prefix = encoded[:_PREFIX_BYTES].decode("utf-8", "ignore")
    return f"{prefix}#{hashlib.sha256(encoded).hexdigest()}"


def key_of_id(schema: KeySchema, identity: str) -> dict[str, Any] | None:
    """Return the key whose document has this _id, or None if the id is shortened and so does not determine the key.

    Raises ValueError if no key of this schema has such an id.
    """
    if _looks_shortened(identity, identity.encode("utf-8", "surrogatepass")):
        return None
    parts = [identity] if len(schema.names) == 1 else [_unescape(part) for part in identity.split("|")]
    if len(parts) != len(schema.names):
        raise ValueError(f"an id of this table has {len(schema.names)} parts, joined by '|'")
    key = {
        name: {kind: _part_value(kind, part)}
        for name, kind, part in zip(schema.names, schema.types, parts, strict=True)
    }
    if document_id(schema, key) != identity:
        raise ValueError("it is not the canonical form of an id of this table")
    return key


def canonical_number(text: str) -> str:
    """Return a number in plain decimal notation without superfluous zeros ("1.50" -> "1.5"). Raises ValueError."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not exact.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    if not exact:
        return "0"
    plain = format(exact, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _looks_shortened(text: str, encoded: bytes) -> bool:
    return len(encoded) > _PREFIX_BYTES and bool(_DIGEST.fullmatch(text[-_DIGEST_LENGTH:]))


def _part_text(key: Item, name: str, kind: str) -> str:
    if name not in key:
        raise ValueError(f"key attribute {name!r} is missing")
    value = key[name]
    content = value.get(kind) if isinstance(value, _MAPPINGS) and len(value) == 1 else None
    if kind == "S" and isinstance(content, str):
        return content
    if kind == "N" and isinstance(content, str):
        return canonical_number(content)
    if kind == "B" and isinstance(content, str | bytes | bytearray):
        return content if isinstance(content, str) else b64encode(content).decode("ascii")
    raise ValueError(f"key attribute {name!r} is not of the table's key type {kind}")


def _part_value(kind: str, text: str) -> str | bytes:
    if kind == "N":
        # Ids come from unauthenticated requests, and 1e999999999 written out would exhaust the memory.
        if not _PLAIN_NUMBER.fullmatch(text):
            raise ValueError("a number in an id must be in plain decimal notation")
        return canonical_number(text)
    if kind == "B":
        return b64decode(text, validate=True)
    return text


def _escape(part: str) -> str:
    return part.replace("%", "%25").replace("|", "%7C")


def _unescape(part: str) -> str:
    return part.replace("%7C", "|").replace("%25", "%")
