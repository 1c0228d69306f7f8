"""Which documents an index refuses, told from its mappings before anything is written: pure.

A mapping that grows by itself (``dynamic`` is true unless said otherwise) takes the type of a new field from the first
document that has it, and refuses later ones that differ. So an `Acceptance` is shown the documents one after another,
and remembers what has grown.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dynadex.document.field_types import complaint, is_date

# OpenSearch's own default of index.mapping.total_fields.limit.
MAX_FIELDS = 1000
_METADATA = frozenset((
    "_data_stream_timestamp", "_field_names", "_id", "_ignored", "_index", "_nested_path", "_routing", "_seq_no",
    "_source", "_version",
))  # fmt: skip
# Marks a field that the document at hand adds to the mapping.
_NEW = "new in this document"
_OBJECTS = ("object", "nested")

Refusal = tuple[str, str]


class MappingCheck:
    """What an index with these mappings takes. ``max_fields`` is its ``index.mapping.total_fields.limit``."""

    def __init__(self, mappings: Mapping[str, Any], max_fields: int = MAX_FIELDS) -> None:
        self.mappings: dict[str, Any] = copy.deepcopy(dict(mappings))
        self._max_fields = max_fields
        self.fields = count_fields(self.mappings)

    def refusals(self, document: Mapping[str, Any]) -> list[Refusal]:
        """Why the document is refused, each as field and reason; nothing when it is taken. Quotes no value."""
        grown = copy.deepcopy(self.mappings) if self._grows else self.mappings
        found = list(dict.fromkeys(_of_object(grown, document, "", grown.get("dynamic", True))))
        if found or grown is self.mappings:
            return found
        fields = count_fields(grown)
        if fields > self._max_fields:
            return [("", f"the index would have more than its limit of {self._max_fields:,} fields")]
        self.mappings, self.fields = _settled(grown), fields
        return []

    @property
    def _grows(self) -> bool:
        return _has_dynamic(self.mappings, self.mappings.get("dynamic", True))


def refusals(mappings: Mapping[str, Any], document: Mapping[str, Any]) -> list[Refusal]:
    """Why an index with these mappings, and no document yet, refuses the document; nothing when it is taken."""
    return MappingCheck(mappings).refusals(document)


def count_fields(spec: Mapping[str, Any]) -> int:
    """How many fields the mappings have, as OpenSearch counts them: objects and sub-fields, too."""
    inner = [*spec.get("properties", {}).values(), *spec.get("fields", {}).values()]
    return sum(1 + count_fields(one) for one in inner)


def name_problem(name: str, *, at_root: bool) -> str:
    """Why a field cannot have this name in any document; empty when it can."""
    if at_root and name in _METADATA:
        return "the name is kept for OpenSearch's own"
    if not all(name.removesuffix(".").split(".")):
        return "a name must have text before, between and after its dots"
    return ""


def is_dynamic(setting: object) -> bool:
    """Whether a value of ``dynamic`` lets fields be added to the mapping."""
    return str(setting).lower() not in ("false", "strict")


def _has_dynamic(spec: Mapping[str, Any], inherited: object) -> bool:
    dynamic = spec.get("dynamic", inherited)
    inner = [one for one in spec.get("properties", {}).values() if one.get("type", "object") in _OBJECTS]
    return is_dynamic(dynamic) or any(_has_dynamic(one, dynamic) for one in inner)


def _of_object(spec: dict[str, Any], document: Mapping[str, Any], prefix: str, inherited: object) -> Iterator[Refusal]:
    dynamic = spec.get("dynamic", inherited)
    for name, value in document.items():
        path = prefix + name
        if problem := name_problem(name, at_root=not prefix):
            yield path, problem
        else:
            yield from _of_name(spec, name.removesuffix("."), value, prefix, dynamic)


def _of_name(spec: dict[str, Any], name: str, value: Any, prefix: str, dynamic: object) -> Iterator[Refusal]:
    properties: dict[str, Any] = spec.get("properties", {})
    if name not in properties and "." in name:
        # A dot in a name makes an object of what stands before it.
        first, rest = name.split(".", 1)
        value, name = {rest: value}, first
    if name in properties:
        yield from _of_field(properties[name], value, prefix + name, dynamic)
    elif str(dynamic).lower() == "strict":
        yield prefix + name, "the mapping is strict and has no such field"
    elif is_dynamic(dynamic) and (grown := _grown(value)) is not None:
        spec.setdefault("properties", {})[name] = {**grown, _NEW: True}
        grown = spec["properties"][name]
        yield from _of_field(grown, value, prefix + name, dynamic)


def _of_field(spec: dict[str, Any], value: Any, path: str, dynamic: object) -> Iterator[Refusal]:
    if isinstance(value, list | tuple):
        # A list is several values of one field, however deep it lies.
        for part in value:
            yield from _of_field(spec, part, path, dynamic)
        return
    kind = spec.get("type", "object")
    if value is None or spec.get("enabled") is False:
        return
    reason = complaint(spec, value) or _differs_at_once(spec, value)
    lenient = spec.get("ignore_malformed") and not isinstance(value, Mapping)
    if reason and not lenient:
        yield path, reason
    elif kind in _OBJECTS and isinstance(value, Mapping):
        yield from _of_object(spec, value, f"{path}.", dynamic)
    for name, sub in spec.get("fields", {}).items():
        if not reason and (worse := complaint(sub, value)) and not sub.get("ignore_malformed"):
            yield f"{path}.{name}", worse


def _differs_at_once(spec: Mapping[str, Any], value: Any) -> str:
    """Within the document that is the first to have a field, its values must be of one type, 1 and 1.5 of two."""
    other = _grown(value) or {}
    if spec.get(_NEW) and other.get("type") != spec.get("type"):
        return f"a new field cannot be {spec.get('type', 'object')} and {other.get('type', 'object')} in one document"
    return ""


def _settled(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The mappings once they have grown: no field is new any more."""
    kept = {name: value for name, value in spec.items() if name != _NEW}
    if "properties" in kept:
        kept["properties"] = {name: _settled(one) for name, one in kept["properties"].items()}
    return kept


def _grown(value: Any) -> dict[str, Any] | None:
    """The mapping that OpenSearch makes of a new field's first value; None while it has none."""
    if isinstance(value, list | tuple):
        return next((grown for part in value if (grown := _grown(part)) is not None), None)
    match value:
        case None:
            return None
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "long"}
        case float() | Decimal():
            return {"type": "float"}
        case str() if is_date(value) and len(value) > len("2026"):
            return {"type": "date"}
        case str():
            return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    return {"properties": {}}
