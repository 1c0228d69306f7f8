"""What a Sync offers its searchers, as its declaration tells: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dynadex.declaration import RELEVANCE
from dynadex.document.identity import KeySchema
from dynadex.sync import Sync

_NUMBERS = frozenset(
    ("byte", "short", "integer", "long", "unsigned_long", "half_float", "float", "double", "scaled_float")
)
_NOT_FOR_A_FORM = frozenset(("object", "nested", "flat_object", "geo_point", "geo_shape", "knn_vector", "alias"))


def config(sync: Sync, schema: KeySchema) -> dict[str, Any]:
    """What a page needs to know: its title, which field heads a hit, facets, sorts, and the fields of a form."""
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


@dataclass(frozen=True, slots=True)
class Order:
    """The fields that decide, one after the other, between equally good hits; ``unique`` if no two hits share the
    values of all of them."""

    fields: tuple[str, ...] = ()
    unique: bool = False


UNORDERED = Order()


def order(sync: Sync, schema: KeySchema) -> Order:
    """The headline in alphabetical order, then the key, where it is mapped so that it tells documents apart.

    Without a key so mapped, a search has one page only: _id would do for the rest, but sorting by it loads every id
    into the cluster's heap, and a cluster may forbid it; _doc and _shard_doc mean something else on each copy of a
    shard or need a point in time kept open for each stranger.
    """
    properties = sync.mappings.get("properties", {})
    unique = all(
        _is_unique(properties.get(name, {}), kind) for name, kind in zip(schema.names, schema.types, strict=True)
    )
    by_headline = _headline(sync)
    first = [by_headline] if by_headline else []
    return Order((*first, *(name for name in schema.names if unique and name not in first)), unique)


def _is_unique(spec: Mapping[str, Any], kind: str) -> bool:
    if spec.get("doc_values") is False:
        return False
    if kind == "N" and spec.get("type") in ("long", "integer", "unsigned_long"):
        return True
    return spec.get("type") == "keyword" and not ({"ignore_above", "normalizer"} & set(spec))


def _headline(sync: Sync) -> str | None:
    for name in sync.search.fields:
        spec = sync.mappings.get("properties", {}).get(name, {})
        if spec.get("type") == "keyword":
            return name
        for sub, sub_spec in spec.get("fields", {}).items():
            if sub_spec.get("type") == "keyword":
                return f"{name}.{sub}"
    return None


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _fields(sync: Sync, searched: list[str]) -> Iterator[tuple[str, str]]:
    properties = sync.mappings.get("properties") or {name: {"type": "text"} for name in searched}
    for name, spec in properties.items():
        mapped = spec.get("type", "object")
        if mapped in _NUMBERS:
            yield name, "number"
        elif mapped not in _NOT_FOR_A_FORM:
            yield name, "boolean" if mapped == "boolean" else "text"
