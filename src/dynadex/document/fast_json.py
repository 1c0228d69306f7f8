"""Typed JSON straight to the bytes of a document, for a Sync whose document is the item itself.

What typed JSON means is decided in `attribute_values`, and its bytes in `body`. Here are two shorter ways to the same
bytes, for what nearly all items are; whatever they do not know for certain goes the long way.

Flat items, with lists of texts and numbers at most: one pass, and numbers as their own text. All others: orjson writes
the typed JSON, in which every text, number and boolean already stands as it will in the document, with its type around
it. What lies between those is the item's shape: names, maps, lists. The items of a table have few shapes; each is
converted once, the long way, and kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import orjson

from dynadex.change import AttributeValue, Item
from dynadex.document.body import encode
from dynadex.document.typed_json import plain, small_int, value

# Numbers that have one spelling, the same in both forms: no exponent, no superfluous zero in front, no -0, and not so
# small that a Decimal is written with an exponent.
_NUMBER = r"[1-9][0-9]*+(?:\.[0-9]++)?+|0(?:\.(?!0{6})[0-9]++)?+|-(?:[1-9][0-9]*+(?:\.[0-9]++)?+|0\.(?!0{6})[0-9]++)"
_TEXT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_is_plain_number = re.compile(_NUMBER, re.ASCII).fullmatch
# Splitting at it leaves the contents between the parts of the shape. A content is what its first character promises.
_contents = re.compile(
    rf'\{{"(?:[SB]":(?=")|N":"(?=[-0-9])|BOOL":(?=[tf]))({_TEXT}|{_NUMBER}|true|false)"?\}}'.encode()
).split
# orjson never writes this byte: in a shape it stands for a content.
_HOLE, _HOLE_TYPED, _HOLE_WRITTEN = b"\0", b'{"S":"\\u0000"}', b'"\\u0000"'
# With a set, or a number of another spelling, hardly any two items would have the same shape.
_SET, _OTHER_NUMBER = b'S":[', b'"N":"'
_MAX_SHAPES, _MAX_SHAPE_BYTES = 256, 8192


class _NotFlat(Exception):
    """There is a map in it, or a list of more than texts and numbers."""


def body_of(item: Item) -> bytes:
    """The same as ``encode(plain(item))``, sooner. Raises ValueError as those do."""
    try:
        return orjson.dumps(
            {
                name: text if type(text := attribute.get("S")) is str and len(attribute) == 1 else _scalar(attribute)
                for name, attribute in item.items()
            }
        )
    except _NotFlat:
        body = _by_shape(item) if _shapes_recur() else None
    except (ValueError, TypeError, KeyError, AttributeError):
        body = None
    return encode(plain(item)) if body is None else body


def _scalar(attribute: AttributeValue) -> Any:
    number = attribute.get("N")
    if type(number) is str and len(attribute) == 1:
        whole = small_int(number)
        if whole is not None:
            return whole
        if _is_plain_number(number):
            return orjson.Fragment(number)
    elements = attribute.get("L")
    if type(elements) is list and len(attribute) == 1:
        return [_element(one) for one in elements]
    if "M" in attribute:
        raise _NotFlat
    return value(attribute)


def _element(attribute: AttributeValue) -> Any:
    """As ``_scalar``, of a list's element: a list in a list is not flat."""
    text = attribute.get("S")
    if type(text) is str and len(attribute) == 1:
        return text
    if "L" in attribute:
        raise _NotFlat
    return _scalar(attribute)


def _shapes_recur() -> bool:
    """Whether shapes are worth keeping: not so where each item has names of its own in a map."""
    kept = _converted.cache_info()
    return kept.misses < _MAX_SHAPES or kept.hits > kept.misses


def _by_shape(item: Item) -> bytes | None:
    """The body, or None where it must be made the long way."""
    try:
        pieces = _contents(orjson.dumps(item))
    except TypeError:
        return None
    shape = _HOLE.join(pieces[::2])
    if len(shape) > _MAX_SHAPE_BYTES or _SET in shape or _OTHER_NUMBER in shape:
        return None
    around = _converted(shape)
    if around is None:
        return None
    pieces[::2] = around
    return b"".join(pieces)


@lru_cache(_MAX_SHAPES)
def _converted(shape: bytes) -> list[bytes] | None:
    """A document's parts around its contents; None for what is no typed JSON, or has a name that is not to be told
    from a content."""
    try:
        written = encode(plain(orjson.loads(shape.replace(_HOLE, _HOLE_TYPED))))
    except ValueError:
        return None
    parts = written.split(_HOLE_WRITTEN)
    return parts if len(parts) == shape.count(_HOLE) + 1 else None
