"""Whether a document fits the mappings that a Sync declares, told field by field before anything is written: pure.

Everything that the index would refuse, and more: it reads "5" as a number and cuts 3.7 to 3. Whoever edits an item
learns of it here, rather than from a dead letter or a search that finds something else than what was meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dynadex.document.mapping_check import refusals

_WHOLE = frozenset(("byte", "short", "integer", "long", "unsigned_long"))
_NUMBERS = frozenset(("half_float", "float", "double", "scaled_float"))
_OBJECTS = frozenset(("object", "nested"))


def problems(mappings: Mapping[str, Any], document: Mapping[str, Any]) -> list[dict[str, str]]:
    """What does not fit, each as ``{"name": field, "message": sentence}``; the message quotes no value."""
    found = dict(_of_object(mappings, document, ""))
    for name, reason in refusals(mappings, document):
        found.setdefault(name, f"{reason[:1].upper()}{reason[1:]}.")
    return [{"name": name, "message": message} for name, message in found.items()]


def _of_object(spec: Mapping[str, Any], document: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    properties = spec.get("properties", {})
    for name, value in document.items():
        if name in properties:
            yield from _of_field(properties[name], value, prefix + name)


def _of_field(spec: Mapping[str, Any], value: Any, name: str) -> Iterator[tuple[str, str]]:
    kind = spec.get("type", "object")
    if value is None or spec.get("enabled") is False or spec.get("ignore_malformed"):
        return
    if isinstance(value, list):
        # A list is several values of one field, however deep it lies.
        for part in value:
            yield from _of_field(spec, part, name)
    elif kind in _OBJECTS and isinstance(value, Mapping):
        yield from _of_object(spec, value, f"{name}.")
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
