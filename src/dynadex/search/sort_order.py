"""Which fields decide between equally good hits: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynadex.document.identity import KeySchema
from dynadex.sync import Sync


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
