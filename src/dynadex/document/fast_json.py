"""Direct conversion of typed JSON to the bytes of a document, for a Sync without a document function.

`typed_json` defines what typed JSON means, and `body` how it is encoded. This module has two faster paths to the same
bytes, for nearly all items. An item that neither path supports takes the slow path, ``encode(plain(item))``.

- Flat items, whose lists contain only texts and numbers: one pass, with numbers as their own text.
- All others: orjson encodes the typed JSON, in which every text, number and boolean is already written as in the
  document, wrapped in its type. What remains between these values is the shape of the item: names, maps and lists. The
  items of a table have few shapes; each is converted once, by the slow path, and cached.

The cache of shapes is kept because nested items are faster with it. Speed relative to TypeDeserializer and json.dumps
(bench/decode.py, image to body, medians of three runs of nine rounds), with and without it:

- 60 attributes, half of them nested: 2.95 and 1.18 times as fast
- orders, each a map and a list of one to five maps: 2.19 and 1.73
- songs with one map of four attributes: 1.56 and 1.52
- flat songs do not use it
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import orjson

from dynadex.change import AttributeValue, Item
from dynadex.document.body import encode
from dynadex.document.typed_json import plain, small_int, value

# Numbers with the same text in typed JSON and in the document: without an exponent, a leading zero or -0, and not so
# small that a Decimal is written with an exponent.
_NUMBER = r"[1-9][0-9]*+(?:\.[0-9]++)?+|0(?:\.(?!0{6})[0-9]++)?+|-(?:[1-9][0-9]*+(?:\.[0-9]++)?+|0\.(?!0{6})[0-9]++)"
_TEXT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_is_plain_number = re.compile(_NUMBER, re.ASCII).fullmatch
# Splits typed JSON into parts of the shape and, between them, values. The first character of a value fits its type.
_split_at_values = re.compile(
    rf'\{{"(?:[SB]":(?=")|N":"(?=[-0-9])|BOOL":(?=[tf]))({_TEXT}|{_NUMBER}|true|false)"?\}}'.encode()
).split
# In a shape, this byte replaces a value; orjson never writes it.
_PLACEHOLDER, _PLACEHOLDER_TYPED, _PLACEHOLDER_WRITTEN = b"\0", b'{"S":"\\u0000"}', b'"\\u0000"'
# Sets, and numbers in another notation, stay in the shape: items with them rarely share one.
_SET, _OTHER_NUMBER = b'S":[', b'"N":"'
_MAX_SHAPES, _MAX_SHAPE_BYTES = 256, 8192


class _NotFlat(Exception):
    """The item contains a map, or a list with other values than texts and numbers."""


def body_of(item: Item) -> bytes:
    """Return ``encode(plain(item))``, but faster. Raises ValueError in the same cases."""
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
        return [_element(element) for element in elements]
    if "M" in attribute:
        raise _NotFlat
    return value(attribute)


def _element(attribute: AttributeValue) -> Any:
    """Like ``_scalar``, for an element of a list: a list within a list is not flat."""
    text = attribute.get("S")
    if type(text) is str and len(attribute) == 1:
        return text
    if "L" in attribute:
        raise _NotFlat
    return _scalar(attribute)


def _shapes_recur() -> bool:
    """Whether caching pays off. It does not if the maps of each item have different names."""
    cache = _converted.cache_info()
    return cache.misses < _MAX_SHAPES or cache.hits > cache.misses


def _by_shape(item: Item) -> bytes | None:
    """The body, or None if only the slow path can build it."""
    try:
        pieces = _split_at_values(orjson.dumps(item))
    except TypeError:
        return None
    shape = _PLACEHOLDER.join(pieces[::2])
    if len(shape) > _MAX_SHAPE_BYTES or _SET in shape or _OTHER_NUMBER in shape:
        return None
    parts = _converted(shape)
    if parts is None:
        return None
    pieces[::2] = parts
    return b"".join(pieces)


@lru_cache(_MAX_SHAPES)
def _converted(shape: bytes) -> list[bytes] | None:
    """The parts of a document between its values; None if it is not valid typed JSON, or if a name looks like a
    placeholder."""
    try:
        written = encode(plain(orjson.loads(shape.replace(_PLACEHOLDER, _PLACEHOLDER_TYPED))))
    except ValueError:
        return None
    parts = written.split(_PLACEHOLDER_WRITTEN)
    return parts if len(parts) == shape.count(_PLACEHOLDER) + 1 else None
