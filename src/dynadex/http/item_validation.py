"""Validation of an item before it is written: a document and its mappings become a list of problems, by field.

It is stricter than the index, which reads "5" as a number and truncates 3.7 to 3. Editors see a problem in the form,
rather than as a dead letter or an unexpected search result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dynadex.document.mapping_check import rejections

_WHOLE = frozenset(("byte", "short", "integer", "long", "unsigned_long"))
_NUMBERS = frozenset(("half_float", "float", "double", "scaled_float"))
_OBJECTS = frozenset(("object", "nested"))


def problems(mappings: Mapping[str, Any], document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the values that do not fit, each as ``{"name": field, "message": sentence}`` without quoting the value."""
    messages = dict(_object_problems(mappings, document, ""))
    for name, reason in rejections(mappings, document):
        messages.setdefault(name, f"{reason[:1].upper()}{reason[1:]}.")
    return [{"name": name, "message": message} for name, message in messages.items()]


def _object_problems(spec: Mapping[str, Any], document: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    properties = spec.get("properties", {})
    for name, value in document.items():
        if name in properties:
            yield from _field_problems(properties[name], value, prefix + name)


def _field_problems(spec: Mapping[str, Any], value: Any, name: str) -> Iterator[tuple[str, str]]:
    kind = spec.get("type", "object")
    if value is None or spec.get("enabled") is False or spec.get("ignore_malformed"):
        return
    if isinstance(value, list):
        # A list is several values of one field, even if it is nested.
        for part in value:
            yield from _field_problems(spec, part, name)
    elif kind in _OBJECTS and isinstance(value, Mapping):
        yield from _object_problems(spec, value, f"{name}.")
    elif kind in _WHOLE and not _is_whole(value):
        yield name, "It must be a whole number."
    elif kind in _NUMBERS and not _is_number(value):
        yield name, "It must be a number."
    elif kind == "boolean" and not isinstance(value, bool):
        yield name, "It must be true or false."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and Decimal(value) == Decimal(value).to_integral_value()
