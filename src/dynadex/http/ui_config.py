"""Configuration of the page: a Sync and its key schema become the JSON of ``/api/config``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dynadex.declaration import RELEVANCE
from dynadex.document.identity import KeySchema
from dynadex.sync import Sync

_NUMBERS = frozenset(
    ("byte", "short", "integer", "long", "unsigned_long", "half_float", "float", "double", "scaled_float")
)
_NOT_EDITABLE = frozenset(("object", "nested", "flat_object", "geo_point", "geo_shape", "knn_vector", "alias"))


def config(sync: Sync, schema: KeySchema) -> dict[str, Any]:
    """Return the title, the field that heads a hit, the facets, the sorts, and the fields of the edit form."""
    searched = [name for name in sync.search.fields if "." not in name]
    return {
        "title": sync.search.title or sync.index,
        "headline": searched[0] if searched else schema.names[0],
        "searched": searched,
        "facets": list(sync.search.facets),
        "fields": [{"name": name, "kind": kind} for name, kind in _fields(sync, searched) if name not in schema.names],
        "key": list(schema.names),
        "key_types": list(schema.types),
        "sorts": [{"name": name, "label": _label(name)} for name in (RELEVANCE, *sync.search.sorts)],
        "version": sync.search.version,
        "suggest": sync.search.suggest is not None,
    }


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _fields(sync: Sync, searched: list[str]) -> Iterator[tuple[str, str]]:
    properties = sync.mappings.get("properties") or {name: {"type": "text"} for name in searched}
    for name, spec in properties.items():
        mapped = spec.get("type", "object")
        if mapped in _NUMBERS:
            yield name, "number"
        elif mapped not in _NOT_EDITABLE:
            yield name, "boolean" if mapped == "boolean" else "text"
