"""Sort orders: a Sync and its key schema become the fields that order hits with equal scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dynadex.document.identity import KeySchema
from dynadex.sync import Sync


@dataclass(frozen=True, slots=True)
class Order:
    """The tie-breakers between hits that are otherwise equal.

    Attributes:
        fields: The fields to sort by, in turn, ascending.
        unique: Whether no two documents share the values of all of them.
    """

    fields: tuple[str, ...] = ()
    unique: bool = False


UNORDERED = Order()


def order(sync: Sync, schema: KeySchema) -> Order:
    """Return the tie-breakers: the headline in alphabetical order, then the key if its mapping is unique by document.

    Without a key mapped that way, a search has only one page. The alternatives are worse: sorting by _id loads every id
    into the cluster's heap, and a cluster may forbid it; _doc and _shard_doc differ between the copies of a shard, or
    need a point in time kept open for each client.
    """
    properties = sync.mappings.get("properties", {})
    unique = all(
        _is_unique(properties.get(name, {}), kind) for name, kind in zip(schema.names, schema.types, strict=True)
    )
    headline = _headline(sync)
    first = [headline] if headline else []
    return Order((*first, *(name for name in schema.names if unique and name not in first)), unique)


def _is_unique(spec: Mapping[str, Any], kind: str) -> bool:
    """Return whether a key attribute of this DynamoDB type has different sort values in different documents."""
    if spec.get("doc_values") is False:
        return False
    if kind == "N" and spec.get("type") in ("long", "integer", "unsigned_long"):
        return True
    return spec.get("type") == "keyword" and not ({"ignore_above", "normalizer"} & set(spec))


def _headline(sync: Sync) -> str | None:
    """Return the first searched field, or sub-field of one, that is a keyword and can therefore be sorted by."""
    for name in sync.search.fields:
        spec = sync.mappings.get("properties", {}).get(name, {})
        if spec.get("type") == "keyword":
            return name
        for sub_field, sub_spec in spec.get("fields", {}).items():
            if sub_spec.get("type") == "keyword":
                return f"{name}.{sub_field}"
    return None
