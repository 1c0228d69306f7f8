"""Items of the table as HTTP asks for them: an id to its key, a JSON body to an item."""

from __future__ import annotations

from base64 import b64decode
from decimal import Decimal
from typing import Any

from dynadex.change import AttributeValue, Item
from dynadex.document import body
from dynadex.document.identity import KeySchema, key_of_id
from dynadex.document.typed_json import plain, typed, value
from dynadex.search.problem import bad_request

# More than DynamoDB keeps on either side of the point, which says so itself about the rest.
_MAX_PLACES = 200


def key_for(schema: KeySchema, identity: str) -> dict[str, Any]:
    """The key of the item whose document has this id; raises Problem when no key can be told."""
    try:
        key = key_of_id(schema, identity)
    except ValueError:
        raise bad_request("bad_id", "No item of this table can have such an id.") from None
    if key is None:
        raise bad_request("bad_id", "This id was shortened: it does not tell the key of its item.")
    return key


def sent_attributes(schema: KeySchema, key: Item, sent: bytes) -> dict[str, Any]:
    """The attributes that a JSON body names, with those of the key; numbers keep their digits. Raises Problem."""
    attributes = _decoded(sent)
    for name, content in plain(key).items():
        if attributes.setdefault(name, content) != content:
            raise bad_request("key_mismatch", f"The body's {name!r} contradicts the id in the URL.")
    return {name: attributes[name] for name in schema.names} | attributes


def item_of(key: Item, attributes: dict[str, Any], current: Item | None) -> dict[str, Any]:
    """The item with these attributes; raises Problem for a value that cannot be stored.

    JSON has neither sets nor binary values. What ``current``, the item there now, holds as such stays such, where the
    new value allows it; what is sent back as it was read stays as it is, to the spelling of its numbers.
    """
    there = current or {}
    try:
        if not _can_be_written_out(attributes):
            raise ValueError("a number has too many places")
        item = {name: _typed_like(there.get(name), content) for name, content in attributes.items()}
        # Text may hold halves of a character, which JSON can escape but no database can store.
        body.encode(attributes)
    except (TypeError, ValueError, RecursionError):
        raise bad_request("bad_value", "A value in the body cannot be stored.") from None
    return item | dict(key)


def _can_be_written_out(content: Any) -> bool:
    """Whether no number in it is so large, or so near to nought, that its digits alone would fill the memory."""
    if isinstance(content, dict):
        return all(map(_can_be_written_out, content.values()))
    if isinstance(content, list):
        return all(map(_can_be_written_out, content))
    return not isinstance(content, Decimal) or not content or abs(content.adjusted()) <= _MAX_PLACES


def _typed_like(there: AttributeValue | None, content: Any) -> dict[str, Any]:
    if not there:
        return typed(content)
    [(kind, held)] = there.items()
    if _same(content, value(there)):
        return dict(there)
    if kind == "M" and isinstance(content, dict):
        return {"M": {name: _typed_like(held.get(name), part) for name, part in content.items()}}
    if kind == "L" and isinstance(content, list):
        return {"L": [_typed_like(old, part) for old, part in zip(_padded(held, len(content)), content, strict=True)]}
    return _as_set_or_binary(kind, content) or typed(content)


def _padded(held: list[Any], length: int) -> list[Any]:
    return held[:length] + [None] * (length - len(held))


def _as_set_or_binary(kind: str, content: Any) -> dict[str, Any] | None:
    """A value in the type that the attribute has had so far, or None if that cannot hold it."""
    if kind == "B":
        binary = _binary(content)
        return None if binary is None else {"B": binary}
    if kind not in ("SS", "NS", "BS") or not isinstance(content, list) or not content:
        return None
    members = [{"SS": _text, "NS": _number, "BS": _binary}[kind](one) for one in content]
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


def _same(one: Any, other: Any) -> bool:
    return body.same(body.encode({"": one}), {"": other})


def _decoded(sent: bytes) -> dict[str, Any]:
    try:
        attributes = body.decode(sent)
    except (ValueError, RecursionError):
        raise bad_request("not_json", "The body is not JSON.") from None
    if not isinstance(attributes, dict):
        raise bad_request("not_an_object", "The body is not a JSON object of attributes.")
    return attributes
