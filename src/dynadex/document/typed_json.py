"""Conversion of DynamoDB typed JSON to plain values, for stream records and table reads alike.

| DynamoDB | plain value |
|---|---|
| S | str |
| N | int if it is written as one and fits into 64 bits, otherwise Decimal with its exact digits; never a float |
| BOOL, NULL | bool, None |
| M, L | dict, list, recursively |
| SS, NS | sorted list |
| B, BS | base64 text, sorted list of base64 texts |

Binary values are bytes from boto3 and base64 text in Lambda events; both become the same text.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from dynadex.change import AttributeValue, Item

_INT_BITS = 63
# A longer text never fits into 64 bits.
_MAX_INT_LENGTH = len("-9223372036854775808")
# A shorter text of digits always fits.
_SAFE_INT_LENGTH = len("9223372036854775807")


def plain(item: Item) -> dict[str, Any]:
    """Return the item's attributes as plain Python values.

    Raises ValueError, which names the attribute, for a value that is not DynamoDB typed JSON.
    """
    try:
        return _map(item)
    except (ValueError, TypeError, KeyError, AttributeError):
        _raise_for_invalid_attribute(item)
        raise


def value(attribute: AttributeValue) -> Any:
    """Return an attribute value as a plain Python value. Raises ValueError, KeyError or TypeError if it is invalid."""
    [(kind, content)] = attribute.items()
    return _CONVERTERS[kind](content)


def number(text: str) -> int | Decimal:
    """Return the exact number: an int if it fits into 64 bits, otherwise a Decimal. Raises ValueError or TypeError."""
    if not isinstance(text, str):
        raise TypeError(f"expected a number as text, got {type(text).__name__}")
    if len(text) <= _MAX_INT_LENGTH and text.removeprefix("-").isdecimal():
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
    """Return the int of a text that certainly fits into 64 bits by its length; None if that is not certain."""
    return int(text) if len(text) < _SAFE_INT_LENGTH and text.isdecimal() else None


def typed(plain_value: Any) -> dict[str, Any]:
    """Return a JSON value as a DynamoDB attribute value; numbers keep their digits.

    It does not invert `value` completely: a set or a binary value that became a list or text stays a list or text.
    Raises TypeError for a value that is not JSON.
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
    """Return the base64 text of a binary value, which is bytes or already base64 text."""
    return content if isinstance(content, str) else b64encode(content).decode("ascii")


def json_key(key: Item) -> dict[str, Any]:
    """Return a key as JSON: its attribute values, with binary values as base64 text."""
    return {
        name: {kind: binary(content) if kind == "B" else content for kind, content in value.items()}
        for name, value in key.items()
    }


def _text(content: Any) -> str:
    if not isinstance(content, str):
        raise TypeError(f"expected text, got {type(content).__name__}")
    return content


def _boolean(content: Any) -> bool:
    if not isinstance(content, bool):
        raise TypeError(f"expected true or false, got {content!r}")
    return content


def _map(content: Item) -> dict[str, Any]:
    # Most values are text, so this is checked first, and without a call.
    return {
        name: text if type(text := attribute.get("S")) is str and len(attribute) == 1 else _other_than_text(attribute)
        for name, attribute in content.items()
    }


def _list(content: Sequence[AttributeValue]) -> list[Any]:
    return [
        text if type(text := attribute.get("S")) is str and len(attribute) == 1 else _other_than_text(attribute)
        for attribute in content
    ]


def _other_than_text(attribute: AttributeValue) -> Any:
    # Most of the others are small whole numbers.
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
    "BS": lambda content: sorted(binary(element) for element in content),
}


def _raise_for_invalid_attribute(item: Item) -> None:
    """Raise ValueError for the first invalid attribute."""
    for name, attribute in item.items():
        try:
            value(attribute)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = _describe(attribute, error)
            raise ValueError(f"attribute {name!r} is not DynamoDB typed JSON: {reason}") from error


def _describe(attribute: Any, error: Exception) -> str:
    if not isinstance(attribute, Mapping) or len(attribute) != 1:
        return f"expected one type with its value, got {attribute!r:.80}"
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is not an attribute type"
    return str(error) or type(error).__name__
