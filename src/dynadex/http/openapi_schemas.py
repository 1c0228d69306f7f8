"""JSON schemas of requests and responses, for the OpenAPI document."""

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
# JSON types that a PUT may send for a mapped field. A list of them is several values of one field.
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
    """Return every schema by its name."""
    return {
        "Item": _item(schema),
        "ItemInput": _item_input(sync, schema),
        "SearchResults": _search_results(sync),
        "Suggestions": _suggestions(),
        "WriteResult": _object({"item": _ref("Item"), "version": _VERSION, "change": _TEXT}),
        "DeleteResult": _object({"change": _TEXT}),
        "Config": _config(),
        "Status": _object({"status": _TEXT, "lag_seconds": _SECONDS, "reasons": _list(_TEXT)}, ["status"]),
        "Error": _error({}),
        "Conflict": _error({"yours": {"type": ["object", "null"]}, "current": {"type": ["object", "null"]}}),
        "InvalidItem": _error({"fields": _list(_object({"name": _TEXT, "message": _TEXT}))}),
    }  # fmt: skip


def _item(schema: KeySchema) -> Json:
    """Return the schema of an item in a response: the table constrains only its key."""
    kinds = {"S": "string", "N": "number", "B": "string"}
    properties = {name: {"type": kinds[kind]} for name, kind in zip(schema.names, schema.types, strict=True)}
    return _object(properties) | {"additionalProperties": True}


def _item_input(sync: Sync, schema: KeySchema) -> Json:
    """Return the schema of an item in a request. The mappings apply to it only if the document is the item."""
    properties: Json = dict(_item(schema)["properties"])
    if sync.document is None:
        for name, spec in sync.mappings.get("properties", {}).items():
            kinds = _FIELD_TYPES.get(spec.get("type", "object"))
            if kinds and name not in properties:
                properties[name] = {"type": [*([kinds] if isinstance(kinds, str) else kinds), "array", "null"]}
    return {"type": "object", "properties": properties, "additionalProperties": True}


def _search_results(sync: Sync) -> Json:
    hit = {"id": _TEXT, "document": {"type": "object"}, "highlight": _map(_list(_TEXT))}
    count = _object({"value": {"type": ["string", "number", "boolean"]}, "count": _COUNT})
    results = {
        "total": _COUNT,
        "hits": _list(_object(hit)),
        "facets": _object({name: _list(count) for name in sync.search.facets}),
        "cursor": {"type": ["string", "null"], "description": "The cursor of the next page; null after the last one."},
        "did_you_mean": {"type": ["string", "null"], "description": "A correction of the text, if nothing matches."},
        "after_reached": {"type": "boolean", "description": "Only with `after`: whether the search shows the write."},
    }
    return _object(results, [name for name in results if name != "after_reached"])


def _suggestions() -> Json:
    suggestion = _object(
        {"text": _TEXT, "highlight": {"type": "string", "description": "Safe HTML with matches in <mark>."}}
    )
    return _object({"suggestions": _list(suggestion) | {"maxItems": MAX_SUGGESTIONS}})


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
