"""A made-up item that looks like those of a sample, without a value of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynadex.change import Item
from dynadex.scaffold.infer import has_data_for_names
from dynadex.scaffold.survey import AttributeSurvey, Survey

_SETS = {"SS": "S", "NS": "N", "BS": "B"}
_BINARY = "AAEC"
_KEYS = {"S": "example", "N": "1", "B": _BINARY}


def example_item(survey: Survey, keys: Mapping[str, str]) -> Item:
    """Typed JSON with the key attributes (names with their types) and every attribute that was seen."""
    item: dict[str, Any] = {name: {kind: _KEYS[kind]} for name, kind in keys.items()}
    return item | {name: _example(seen) for name, seen in survey.root.children.items() if name not in keys}


def _example(seen: AttributeSurvey) -> dict[str, Any]:
    kinds = seen.values
    kind = kinds.most_common(1)[0][0] if kinds else "NULL"
    value = _value(seen, kind)
    container = seen.containers.most_common(1)[0][0] if seen.containers else ""
    if _SETS.get(container) == kind:
        return {container: [value[kind]]}
    return {"L": [value]} if container == "L" else value


def _value(seen: AttributeSurvey, kind: str) -> dict[str, Any]:
    match kind:
        case "M":
            # Names that are data are not written down.
            names = {} if has_data_for_names(seen) else seen.children
            return {"M": {name: _example(child) for name, child in names.items()}}
        case "S":
            return {"S": "2026-01-31T12:00:00Z" if seen.texts.dates == seen.texts.count else "example"}
        case "N":
            return {"N": "1.5" if seen.numbers.fractions else "1"}
        case "BOOL":
            return {"BOOL": True}
        case "B":
            return {"B": _BINARY}
    return {"NULL": True}
