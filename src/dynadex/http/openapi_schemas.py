"""The values in the service's requests and answers, as JSON schemas: pure."""

from __future__ import annotations

from typing import Any

from dynadex.document.identity import KeySchema
from dynadex.search.suggest import MAX_SUGGESTIONS
from dynadex.sync import Sync

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_SECONDS: Json = {"type": ["number", "null"]}
_FLAG: Json = {"type": "boolean"}
_VERSION: Json = {"type": ["integer", "null"], "minimum": 0}
# What a mapped field takes of a PUT; a list of them is several values of one field.
_ANY_SCALAR = ["string", "number", "boolean"]
_FIELD_TYPES: dict[str, str | list[str]] = {
    "byte": "integer",
    "short": "integer",
    "integer": "integer",
    "long": "integer",
    "unsigned_long": "integer",
    "half_float": "number",
    "float": "number",
    "double": "number",
    "scaled_float": "number",
    "boolean": "boolean",
    "text": _ANY_SCALAR,
    "keyword": _ANY_SCALAR,
    "search_as_you_type": _ANY_SCALAR,
    "ip": "string",
}


def schemas(sync: Sync, schema: KeySchema) -> dict[str, Json]:
    """Every schema by its name."""
    return {
        "Item": _item(schema),
        "SentItem": _sent_item(sync, schema),
        "Found": _found(sync),
        "Suggestions": _suggestions(),
        "Written": _object({"item": _ref("Item"), "version": _VERSION, "change": _TEXT}),
        "Deleted": _object({"change": _TEXT}),
        "Config": _config(),
        "Status": _object({"status": _TEXT, "lag_seconds": _SECONDS, "reasons": _list(_TEXT)}, ["status"]),
        "Error": _error({}),
        "Conflict": _error({"yours": {"type": ["object", "null"]}, "current": {"type": ["object", "null"]}}),
        "Unfit": _error({"fields": _list(_object({"name": _TEXT, "message": _TEXT}))}),
    }  # fmt: skip


def _item(schema: KeySchema) -> Json:
    """An item as it is read: the table holds to nothing but the key."""
    kinds = {"S": "string", "N": "number", "B": "string"}
    properties = {name: {"type": kinds[kind]} for name, kind in zip(schema.names, schema.types, strict=True)}
    return _object(properties) | {"additionalProperties": True}


def _sent_item(sync: Sync, schema: KeySchema) -> Json:
    """An item as it is written. Its fields are those of the mappings only where the document is the item."""
    properties: Json = dict(_item(schema)["properties"])
    if sync.document is None:
        for name, spec in sync.mappings.get("properties", {}).items():
            kinds = _FIELD_TYPES.get(spec.get("type", "object"))
            if kinds and name not in properties:
                properties[name] = {"type": [*([kinds] if isinstance(kinds, str) else kinds), "array", "null"]}
    return {"type": "object", "properties": properties, "additionalProperties": True}


def _found(sync: Sync) -> Json:
    hit = {"id": _TEXT, "document": {"type": "object"}, "highlight": _map(_list(_TEXT))}
    count = _object({"value": {"type": ["string", "number", "boolean"]}, "count": _COUNT})
    found = {
        "total": _COUNT,
        "hits": _list(_object(hit)),
        "facets": _object({name: _list(count) for name in sync.search.facets}),
        "cursor": {"type": ["string", "null"], "description": "Where the next page starts."},
        "did_you_mean": {"type": ["string", "null"], "description": "Only where nothing is found."},
        "after_reached": {"type": "boolean", "description": "Only with `after`: whether the write is shown."},
    }
    return _object(found, [name for name in found if name != "after_reached"])


def _suggestions() -> Json:
    one = _object({"text": _TEXT, "highlight": {"type": "string", "description": "Safe HTML with <mark>."}})
    return _object({"suggestions": _list(one) | {"maxItems": MAX_SUGGESTIONS}})


def _config() -> Json:
    named = _object({"name": _TEXT, "label": _TEXT})
    field = _object({"name": _TEXT, "kind": {"enum": ["text", "number", "boolean"]}})
    return _object(
        {
            "title": _TEXT,
            "headline": _TEXT,
            "searched": _list(_TEXT),
            "facets": _list(_TEXT),
            "fields": _list(field),
            "key": _list(_TEXT),
            "key_types": _list({"enum": ["S", "N", "B"]}),
            "sorts": _list(named),
            "version": {"type": ["string", "null"]},
            **dict.fromkeys(("suggest", "writes", "live", "regions"), _FLAG),
        }
    )


def _error(details: Json) -> Json:
    return _object({"error": _object({"code": _TEXT, "message": _TEXT, **details})})


def _object(properties: Json, required: list[str] | None = None) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties) if required is None else required}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _map(values: Json) -> Json:
    return {"type": "object", "additionalProperties": values}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
