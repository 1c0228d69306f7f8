"""The OpenAPI document: a Sync and its key schema become the description of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dynadex
from dynadex.declaration import RELEVANCE
from dynadex.document.identity import MAX_ID_BYTES, KeySchema
from dynadex.http.openapi_schemas import schemas
from dynadex.http.preconditions import VERSION_TAG
from dynadex.search.cursor import MAX_CURSOR
from dynadex.search.request import DEFAULT_HITS, MAX_FILTER_VALUE, MAX_HITS, MAX_QUERY, MAX_TOKEN
from dynadex.sync import Sync

Json = dict[str, Any]

OPERATIONS = ("verify", "redrive", "rebuild", "rollback", "refill")
_WRITER = [{"token": list[str]()}]
_RESPONSES = {
    304: "Not modified: the client has the current version.",
    400: "The request is invalid; the code states the reason.",
    401: "The token is missing, invalid, or expired.",
    403: "The request is not allowed.",
    404: "Not found.",
    409: "Another operation is running.",
    412: "The item does not have the required version. The response has both versions.",
    413: "The body is larger than the maximum size of an item.",
    422: "A value does not fit the mapping of its field.",
    428: "The write does not state what it replaces.",
    429: "Too many requests. Retry-After is the time to wait, in seconds.",
    503: "The index or the table is not available right now.",
}
_SCHEMA_OF = {412: "Conflict", 422: "InvalidItem"}


def describe(sync: Sync, schema: KeySchema, *, live: bool = False) -> Json:
    """Return the document. ``live``: the service has the routes of the live view."""
    paths = {
        "/api/search": {"get": _search(sync)},
        "/api/suggest": {"get": _suggest()},
        "/api/config": {"get": _operation("config", "The configuration of the page.", "Config", 304)},
        "/api/openapi.json": {"get": _operation("openapi", "This document.", None, 304)},
        "/api/documents/{id}": _document(sync),
        "/health/live": {"get": _operation("live", "Whether the process is running.", "Status")},
        "/health/ready": {"get": _ready()},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": sync.search.title or sync.index,
            "version": dynadex.__version__,
            "description": "Searches read the index; single documents are read from and written to the table.",
        },
        "servers": [{"url": "/"}],
        "paths": paths | (_live_view() if live else {}),
        "components": {
            "schemas": schemas(sync, schema),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token from the operator of the service; behind an AWS gateway, a signed request.",
                }
            },
        },
    }


def _search(sync: Sync) -> Json:
    declared = sync.search
    parameters = [
        _parameter(
            "q",
            "The text to search for. Without it, all documents are listed.",
            {"type": "string", "maxLength": MAX_QUERY},
        ),
        _parameter(
            "size",
            "The maximum number of hits. 0 only counts.",
            {"type": "integer", "minimum": 0, "maximum": MAX_HITS, "default": DEFAULT_HITS},
        ),
        _parameter("sort", "The order of the hits.", {"type": "string", "enum": [RELEVANCE, *declared.sorts]}),
        _parameter(
            "cursor", "The cursor that the previous page returned.", {"type": "string", "maxLength": MAX_CURSOR}
        ),
        _parameter("after", "The change token of the write to wait for.", {"type": "string", "maxLength": MAX_TOKEN}),
    ]
    for name in declared.facets:
        values = {"type": "array", "items": {"type": "string", "maxLength": MAX_FILTER_VALUE}}
        parameters.append(
            _parameter(name, f"Values of {name}; a document must have one of them.", values) | {"explode": True}
        )
    return _operation("search", "Search for documents.", "SearchResults", 400, 429, 503) | {"parameters": parameters}


def _suggest() -> Json:
    q = _parameter("q", "The text typed so far.", {"type": "string", "maxLength": MAX_QUERY})
    return _operation("suggest", "Suggest completions of a text.", "Suggestions", 400, 429, 503) | {"parameters": [q]}


def _document(sync: Sync) -> Json:
    versioned = sync.search.version is not None
    identity = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The document's id: the item's key as text, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES},
    }
    tag = {"ETag": {"description": "The item's version.", "schema": {"type": "string"}}} if versioned else {}
    known = _header("If-None-Match", "The ETag of the version that the client has.", {"type": "string"})
    match = _header(
        "If-Match",
        'The version that the item must have, in quotes, such as "3".',
        {"type": "string", "pattern": VERSION_TAG},
    )
    absent = _header("If-None-Match", "The item must not exist.", {"type": "string", "enum": ["*"]})
    return {
        "parameters": [identity],
        "get": _operation("readDocument", "Read the current item.", "Item", 304, 400, 404, 429, 503, headers=tag)
        | {"parameters": [known] if versioned else []},
        "put": _operation(
            "writeDocument", "Create or replace an item.", "WriteResult", *_WRITE_ERRORS,
            *((428,) if versioned else ()), headers=tag,
        )
        | {
            "parameters": [match, absent] if versioned else [absent],
            "requestBody": {"required": True, "content": _content("ItemInput")},
            "security": _WRITER,
        },
        "delete": _operation("deleteDocument", "Delete an item.", "DeleteResult", 400, 401, 403, 404, 412, 503)
        | {"parameters": [match] if versioned else [], "security": _WRITER},
    }  # fmt: skip


_WRITE_ERRORS = (400, 401, 403, 412, 413, 422, 503)


def _ready() -> Json:
    operation = _operation("ready", "Whether the service should receive searches.", "Status")
    operation["responses"]["503"] = {
        "description": "The service is not ready; the response lists the reasons.",
        "content": _content("Status"),
    }
    return operation


def _live_view() -> Json:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The operation to start.",
        "schema": {"type": "string", "enum": list(OPERATIONS)},
    }
    started = _operation("startOperation", "Start an operation. Only one runs at a time.", None, 401, 403, 404, 409)
    started["responses"]["202"] = started["responses"].pop("200") | {"description": "The operation has started."}
    return {
        "/api/live": {"get": _operation("liveView", "The current activity between table and index.", None)},
        "/api/operations/{name}": {"parameters": [name], "post": started | {"security": _WRITER}},
    }


def _operation(
    name: str, summary: str, schema: str | None, *errors: int, headers: Mapping[str, Any] | None = None
) -> Json:
    responses: Json = {"200": {"description": "Success.", "content": _content(schema)}}
    if headers:
        responses["200"]["headers"] = dict(headers)
    for status in errors:
        responses[str(status)] = {"description": _RESPONSES[status]}
        if status != 304:
            responses[str(status)]["content"] = _content(_SCHEMA_OF.get(status, "Error"))
    return {"operationId": name, "summary": summary, "responses": responses}


def _content(schema: str | None) -> Json:
    reference = {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"}
    return {"application/json": {"schema": reference}}


def _parameter(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}
