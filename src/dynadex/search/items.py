"""Items of the table as HTTP asks for them: an id to its key, a JSON body to an item."""

from __future__ import annotations

from typing import Any

from dynadex.change import Item
from dynadex.document import body
from dynadex.document.identity import KeySchema, key_of_id
from dynadex.search.problems import bad_request
from dynadex.source.attribute_values import plain, typed


def key_for(schema: KeySchema, identity: str) -> dict[str, Any]:
    """The key of the item whose document has this id; raises Problem when no key can be told."""
    try:
        key = key_of_id(schema, identity)
    except ValueError:
        raise bad_request("bad_id", "No item of this table can have such an id.") from None
    if key is None:
        raise bad_request("bad_id", "This id was shortened: it does not tell the key of its item.")
    return key


def item_for(schema: KeySchema, key: Item, sent: bytes) -> dict[str, Any]:
    """The item that a JSON body describes, with this key; numbers keep their digits. Raises Problem."""
    attributes = _attributes(sent)
    for name, value in plain(key).items():
        if attributes.setdefault(name, value) != value:
            raise bad_request("key_mismatch", f"The body's {name!r} contradicts the id in the URL.")
    try:
        item = {name: typed(value) for name, value in attributes.items()}
        # Text may hold halves of a character, which JSON can escape but no database can store.
        body.encode(attributes)
    except (TypeError, ValueError, RecursionError):
        raise bad_request("bad_value", "A value in the body cannot be stored.") from None
    return {**{name: key[name] for name in schema.names}, **{n: v for n, v in item.items() if n not in schema.names}}


def _attributes(sent: bytes) -> dict[str, Any]:
    try:
        attributes = body.decode(sent)
    except (ValueError, RecursionError):
        raise bad_request("not_json", "The body is not JSON.") from None
    if not isinstance(attributes, dict):
        raise bad_request("not_an_object", "The body is not a JSON object of attributes.")
    return attributes
