"""Items in requests: a document id becomes a key, and a JSON body becomes an item of the table."""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal
from typing import Any

from dynadex.change import AttributeValue, Item
from dynadex.document import body
from dynadex.document.identity import KeySchema, key_of_id
from dynadex.document.typed_json import plain, typed, value
from dynadex.search.problem import bad_request

# Digits on either side of the decimal point, above what DynamoDB stores: it rejects smaller numbers that are out of its
# range itself.
_MAX_DIGITS = 200


def key_for(schema: KeySchema, identity: str) -> dict[str, Any]:
    """Return the key of the item whose document has this id. Raises Problem if the id does not determine a key."""
    try:
        key = key_of_id(schema, identity)
    except ValueError:
        raise bad_request("bad_id", "The id is not valid for the key of this table.") from None
    if key is None:
        raise bad_request("bad_id", "The id is shortened and does not contain the whole key of its item.")
    return key


def sent_attributes(schema: KeySchema, key: Item, sent: bytes) -> dict[str, Any]:
    """Return the attributes in a JSON body, and those of the key; numbers keep all digits. Raises Problem."""
    attributes = _decoded(sent)
    for name, content in plain(key).items():
        if attributes.setdefault(name, content) != content:
            raise bad_request("key_mismatch", f"The body's {name!r} differs from the id in the URL.")
    return {name: attributes[name] for name in schema.names} | attributes


def item_of(key: Item, attributes: dict[str, Any], current: Item | None) -> dict[str, Any]:
    """Return the item with these attributes. Raises Problem for a value that cannot be stored.

    JSON has neither sets nor binary values. A set or a binary value of ``current``, the item in the table, keeps its
    type if the new value allows it. A value that is sent back unchanged stays unchanged, including the notation of its
    numbers.
    """
    stored = current or {}
    try:
        if not _has_few_digits(attributes):
            raise ValueError("a number has too many digits")
        item = {name: _typed_like(stored.get(name), content) for name, content in attributes.items()}
        # Text may contain unpaired surrogates, which JSON can escape but no database can store.
        body.encode(attributes)
    except (TypeError, ValueError, RecursionError):
        raise bad_request("bad_value", "A value in the body cannot be stored in DynamoDB.") from None
    return item | dict(key)


def _has_few_digits(content: Any) -> bool:
    """Return whether no number is so large, or so close to zero, that its digits alone would exhaust the memory."""
    if isinstance(content, dict):
        return all(map(_has_few_digits, content.values()))
    if isinstance(content, list):
        return all(map(_has_few_digits, content))
    return not isinstance(content, Decimal) or not content or abs(content.adjusted()) <= _MAX_DIGITS


def _typed_like(stored: AttributeValue | None, content: Any) -> dict[str, Any]:
    if not stored:
        return typed(content)
    [(kind, old)] = stored.items()
    if _same(content, value(stored)):
        return dict(stored)
    if kind == "M" and isinstance(content, dict):
        return {"M": {name: _typed_like(old.get(name), part) for name, part in content.items()}}
    if kind == "L" and isinstance(content, list):
        return {"L": [_typed_like(*parts) for parts in zip(_padded(old, len(content)), content, strict=True)]}
    return _as_set_or_binary(kind, content) or typed(content)


def _padded(old: list[Any], length: int) -> list[Any]:
    return old[:length] + [None] * (length - len(old))


def _as_set_or_binary(kind: str, content: Any) -> dict[str, Any] | None:
    """Return a value in the attribute's previous type, or None if that type cannot hold it."""
    if kind == "B":
        binary = _binary(content)
        return None if binary is None else {"B": binary}
    if kind not in ("SS", "NS", "BS") or not isinstance(content, list) or not content:
        return None
    members = [{"SS": _text, "NS": _number, "BS": _binary}[kind](member) for member in content]
    if None in members or len(set(members)) < len(members):
        return None
    return {kind: members}


def _text(content: Any) -> str | None:
    return content if isinstance(content, str) else None


def _number(content: Any) -> str | None:
    converted: dict[str, str] = typed(content)
    return converted.get("N")


def _binary(content: Any) -> bytes | None:
    try:
        return b64decode(content, validate=True) if isinstance(content, str) else None
    except ValueError:
        return None


def _same(content: Any, other: Any) -> bool:
    return body.same(body.encode({"": content}), {"": other})


def _decoded(sent: bytes) -> dict[str, Any]:
    try:
        attributes = body.decode(sent)
    except (ValueError, RecursionError):
        raise bad_request("not_json", "The body is not valid JSON.") from None
    if not isinstance(attributes, dict):
        raise bad_request("not_an_object", "The body must be a JSON object of attributes.")
    return attributes
