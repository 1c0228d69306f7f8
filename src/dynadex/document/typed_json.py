"""Typed JSON to plain values: the one converter, for stream records and table reads alike.

| DynamoDB | plain value |
|---|---|
| S | str |
| N | int when it is written as one and fits 64 bits, else Decimal with its exact digits; never a float |
| BOOL, NULL | bool, None |
| M, L | dict, list, recursively |
| SS, NS | sorted list |
| B, BS | base64 text, sorted list of base64 texts |

Binary values arrive as bytes from boto3 and as base64 text in Lambda events; both give the same text.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from dynadex.change import AttributeValue, Item

_INT_BITS = 63
# Longer texts are no 64-bit integers, whatever they say.
_MAX_INT = len("-9223372036854775808")
# Shorter ones certainly are.
_CERTAIN_INT = len("9223372036854775807")


def plain(item: Item) -> dict[str, Any]:
    """The item's attributes as plain Python values.

    Raises ValueError, naming the attribute, for a value that is not DynamoDB typed JSON.
    """
    try:
        return _map(item)
    except (ValueError, TypeError, KeyError, AttributeError):
        _blame(item)
        raise


def value(attribute: AttributeValue) -> Any:
    """One attribute value as a plain Python value; raises ValueError, KeyError or TypeError when it is none."""
    [(kind, content)] = attribute.items()
    return _CONVERTERS[kind](content)


def number(text: str) -> int | Decimal:
    """The exact number: an int where it fits 64 bits, else a Decimal."""
    if not isinstance(text, str):
        raise TypeError(f"expected a number as text, found {type(text).__name__}")
    if len(text) <= _MAX_INT and text.removeprefix("-").isdecimal():
        whole = int(text)
        if -(2**_INT_BITS) <= whole < 2**_INT_BITS:
            return whole
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not exact.is_finite():
        raise ValueError(f"{text!r} is not a finite number")
    return exact


def small_int(text: str) -> int | None:
    """The number, where it is seen at a glance that 64 bits hold it; else None, which says nothing."""
    return int(text) if len(text) < _CERTAIN_INT and text.isdecimal() else None


def typed(plain_value: Any) -> dict[str, Any]:
    """A JSON value as a DynamoDB attribute value; numbers keep their digits. Raises TypeError for anything else.

    Not the whole way back: a set or a binary value that became a list or text stays one.
    """
    match plain_value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": plain_value}
        case int() | Decimal():
            return {"N": str(plain_value)}
        case str():
            return {"S": plain_value}
        case list():
            return {"L": [typed(part) for part in plain_value]}
        case dict():
            return {"M": {name: typed(part) for name, part in plain_value.items()}}
    raise TypeError(f"{type(plain_value).__name__} has no DynamoDB attribute type")


def binary(content: bytes | bytearray | str) -> str:
    """Base64 text of a binary value, however it arrived."""
    return content if isinstance(content, str) else b64encode(content).decode("ascii")


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError(f"expected text, found {type(content).__name__}")
    return content


def _boolean(content: Any) -> bool:
    if not isinstance(content, bool):
        raise TypeError(f"expected true or false, found {content!r}")
    return content


def _map(content: Item) -> dict[str, Any]:
    # Most values are text: that is looked for first, without a call.
    return {
        name: text if type(text := attribute.get("S")) is str and len(attribute) == 1 else _no_text(attribute)
        for name, attribute in content.items()
    }


def _list(content: Sequence[AttributeValue]) -> list[Any]:
    return [
        text if type(text := attribute.get("S")) is str and len(attribute) == 1 else _no_text(attribute)
        for attribute in content
    ]


def _no_text(attribute: AttributeValue) -> Any:
    # Most others are small whole numbers.
    text = attribute.get("N")
    if type(text) is str and len(attribute) == 1:
        return number(text) if (whole := small_int(text)) is None else whole
    return value(attribute)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "S": _text,
    "N": number,
    "BOOL": _boolean,
    "NULL": lambda _: None,
    "M": _map,
    "L": _list,
    "SS": sorted,
    "NS": lambda content: sorted(number(text) for text in content),
    "B": binary,
    "BS": lambda content: sorted(binary(one) for one in content),
}


def _blame(item: Item) -> None:
    """Raise ValueError for the first attribute that is at fault."""
    for name, attribute in item.items():
        try:
            value(attribute)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            said = _describe(attribute, error)
            raise ValueError(f"attribute {name!r} is not DynamoDB typed JSON: {said}") from error


def _describe(attribute: Any, error: Exception) -> str:
    if not isinstance(attribute, Mapping) or len(attribute) != 1:
        return f"expected one type with its content, found {attribute!r:.80}"
    if isinstance(error, KeyError):
        return f"no attribute type is called {error.args[0]!r}"
    return str(error) or type(error).__name__
