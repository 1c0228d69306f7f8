"""Prediction, from the mappings of an index, of the documents that it rejects, without a request. Pure functions.

By default (``dynamic``), OpenSearch maps an unmapped field to the type of its first value, and rejects later documents
with another type. A `MappingCheck` therefore checks documents one after another, and keeps the fields that they add.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from dynadex.document.field_types import is_date, rejection_reason

# The default of index.mapping.total_fields.limit in OpenSearch.
MAX_FIELDS = 1000
_METADATA = frozenset((
    "_data_stream_timestamp", "_field_names", "_id", "_ignored", "_index", "_nested_path", "_routing", "_seq_no",
    "_source", "_version",
))  # fmt: skip
# Marks a field that the current document adds to the mapping.
_NEW = "new in this document"
_OBJECTS = ("object", "nested")

# The path of a field, empty for the whole document, and the reason.
Rejection = tuple[str, str]


class MappingCheck:
    """The mappings of an index as documents extend them.

    Args:
        mappings: Mappings of the empty index; they are copied.
        max_fields: The index setting ``index.mapping.total_fields.limit``.

    Attributes:
        mappings: The mappings, with the fields that accepted documents added.
        fields: The number of fields in them.
    """

    def __init__(self, mappings: Mapping[str, Any], max_fields: int = MAX_FIELDS) -> None:
        self.mappings: dict[str, Any] = copy.deepcopy(dict(mappings))
        self._max_fields = max_fields
        self.fields = count_fields(self.mappings)

    def rejections(self, document: Mapping[str, Any]) -> list[Rejection]:
        """Return why the index rejects the document, field by field; empty if it accepts it. Reasons quote no value."""
        grown = copy.deepcopy(self.mappings) if self._grows else self.mappings
        rejected = list(dict.fromkeys(_of_object(grown, document, "", grown.get("dynamic", True))))
        if rejected or grown is self.mappings:
            return rejected
        fields = count_fields(grown)
        if fields > self._max_fields:
            return [("", f"the index would have more than its limit of {self._max_fields:,} fields")]
        self.mappings, self.fields = _settled(grown), fields
        return []

    @property
    def _grows(self) -> bool:
        return _has_dynamic(self.mappings, self.mappings.get("dynamic", True))


def rejections(mappings: Mapping[str, Any], document: Mapping[str, Any]) -> list[Rejection]:
    """Return why an empty index with these mappings rejects a document.

    Args:
        mappings: Mappings of the index, as OpenSearch writes them.
        document: The document, as plain values.

    Returns:
        One rejection per field, with its path and the reason; empty if the index accepts the document.
    """
    return MappingCheck(mappings).rejections(document)


def count_fields(spec: Mapping[str, Any]) -> int:
    """Return the number of fields as OpenSearch counts them, with objects and sub-fields."""
    inner = [*spec.get("properties", {}).values(), *spec.get("fields", {}).values()]
    return sum(1 + count_fields(field_spec) for field_spec in inner)


def name_problem(name: str, *, at_root: bool) -> str:
    """Return why no document can have a field of this name; empty if the name is valid."""
    if at_root and name in _METADATA:
        return "the name is reserved by OpenSearch"
    if not all(name.removesuffix(".").split(".")):
        return "a name must have characters before, between and after its dots"
    return ""


def is_dynamic(setting: object) -> bool:
    """Return whether this value of ``dynamic`` allows new fields."""
    return str(setting).lower() not in ("false", "strict")


def _has_dynamic(spec: Mapping[str, Any], inherited: object) -> bool:
    dynamic = spec.get("dynamic", inherited)
    properties = spec.get("properties", {}).values()
    objects = [field_spec for field_spec in properties if field_spec.get("type", "object") in _OBJECTS]
    return is_dynamic(dynamic) or any(_has_dynamic(object_spec, dynamic) for object_spec in objects)


def _of_object(
    spec: dict[str, Any], document: Mapping[str, Any], prefix: str, inherited: object
) -> Iterator[Rejection]:
    dynamic = spec.get("dynamic", inherited)
    for name, value in document.items():
        path = prefix + name
        if problem := name_problem(name, at_root=not prefix):
            yield path, problem
        else:
            yield from _of_name(spec, name.removesuffix("."), value, prefix, dynamic)


def _of_name(spec: dict[str, Any], name: str, value: Any, prefix: str, dynamic: object) -> Iterator[Rejection]:
    properties: dict[str, Any] = spec.get("properties", {})
    if name not in properties and "." in name:
        # A dot in a name makes the part before it an object.
        first, rest = name.split(".", 1)
        value, name = {rest: value}, first
    if name in properties:
        yield from _of_field(properties[name], value, prefix + name, dynamic)
    elif str(dynamic).lower() == "strict":
        yield prefix + name, "the mapping is strict and does not have this field"
    elif is_dynamic(dynamic) and (grown := _grown(value)) is not None:
        spec.setdefault("properties", {})[name] = {**grown, _NEW: True}
        grown = spec["properties"][name]
        yield from _of_field(grown, value, prefix + name, dynamic)


def _of_field(spec: dict[str, Any], value: Any, path: str, dynamic: object) -> Iterator[Rejection]:
    if isinstance(value, list | tuple):
        # A list, even a nested one, is several values of one field.
        for part in value:
            yield from _of_field(spec, part, path, dynamic)
        return
    kind = spec.get("type", "object")
    if value is None or spec.get("enabled") is False:
        return
    reason = rejection_reason(spec, value) or _second_type(spec, value)
    lenient = spec.get("ignore_malformed") and not isinstance(value, Mapping)
    if reason and not lenient:
        yield path, reason
    elif kind in _OBJECTS and isinstance(value, Mapping):
        yield from _of_object(spec, value, f"{path}.", dynamic)
    for name, sub in spec.get("fields", {}).items():
        if not reason and (sub_reason := rejection_reason(sub, value)) and not sub.get("ignore_malformed"):
            yield f"{path}.{name}", sub_reason


def _second_type(spec: Mapping[str, Any], value: Any) -> str:
    """Why a value has another type than the one before it in the document that adds the field: 1 and 1.5 differ."""
    other = _grown(value) or {}
    if spec.get(_NEW) and other.get("type") != spec.get("type"):
        return f"a new field cannot be {spec.get('type', 'object')} and {other.get('type', 'object')} in one document"
    return ""


def _settled(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The mappings without the marks of new fields."""
    settled = {name: value for name, value in spec.items() if name != _NEW}
    if "properties" in settled:
        settled["properties"] = {name: _settled(field_spec) for name, field_spec in settled["properties"].items()}
    return settled


def _grown(value: Any) -> dict[str, Any] | None:
    """The mapping that OpenSearch derives from the first value of a new field; None if that has no type."""
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
