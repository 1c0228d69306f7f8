"""Generate an example item with the attributes of a sample, but none of its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynadex.change import Item
from dynadex.scaffold.survey import AttributeSurvey, Survey

_SETS = {"SS": "S", "NS": "N", "BS": "B"}
_BINARY = "AAEC"
_KEYS = {"S": "example", "N": "1", "B": _BINARY}


def example_item(survey: Survey, keys: Mapping[str, str]) -> Item:
    """Return typed JSON with the key attributes (types by name) and every surveyed attribute."""
    item: dict[str, Any] = {name: {kind: _KEYS[kind]} for name, kind in keys.items()}
    return item | {name: _example(child) for name, child in survey.root.children.items() if name not in keys}


def _example(attribute: AttributeSurvey) -> dict[str, Any]:
    kinds = attribute.values
    kind = kinds.most_common(1)[0][0] if kinds else "NULL"
    value = _value(attribute, kind)
    container = attribute.containers.most_common(1)[0][0] if attribute.containers else ""
    if _SETS.get(container) == kind:
        return {container: [value[kind]]}
    return {"L": [value]} if container == "L" else value


def _value(attribute: AttributeSurvey, kind: str) -> dict[str, Any]:
    match kind:
        case "M":
            # Names that are data would reveal values of the table.
            names = {} if attribute.has_data_as_names else attribute.children
            return {"M": {name: _example(child) for name, child in names.items()}}
        case "S":
            return {"S": "2026-01-31T12:00:00Z" if attribute.texts.dates == attribute.texts.count else "example"}
        case "N":
            return {"N": "1.5" if attribute.numbers.fractions else "1"}
        case "BOOL":
            return {"BOOL": True}
        case "B":
            return {"B": _BINARY}
    return {"NULL": True}
