"""The service described to programs: an OpenAPI document, made from what the Sync declares. Pure."""

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
_REFUSALS = {
    304: "The client has this version already.",
    400: "The request cannot be understood; the code says what of it.",
    401: "Nobody is authorised: no token, a wrong one, or one that has expired.",
    403: "Whoever asks may not do this.",
    404: "There is no such item.",
    409: "Another operation runs.",
    412: "What is there is not what was expected: both are in the answer.",
    413: "The body is larger than an item may be.",
    422: "A value does not fit the field that the Sync declares.",
    428: "The write does not say what it replaces.",
    429: "Too many requests: Retry-After says how many seconds to wait.",
    503: "The index or the table is not available right now.",
}
_SCHEMA_OF = {412: "Conflict", 422: "Unfit"}


def describe(sync: Sync, schema: KeySchema, *, live: bool = False) -> Json:
    """The document. ``live``: the routes of the live view are there."""
    paths = {
        "/api/search": {"get": _search(sync)},
        "/api/suggest": {"get": _suggest()},
        "/api/config": {"get": _read("config", "What a page needs to know.", "Config", 304)},
        "/api/openapi.json": {"get": _read("openapi", "This document.", None, 304)},
        "/api/documents/{id}": _document(sync),
        "/health/live": {"get": _read("live", "The process answers.", "Status")},
        "/health/ready": {"get": _ready()},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": sync.search.title or sync.index,
            "version": dynadex.__version__,
            "description": "Searches go to the index, single documents to the table.",
        },
        "servers": [{"url": "/"}],
        "paths": paths | (_live_view() if live else {}),
        "components": {
            "schemas": schemas(sync, schema),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of whoever runs the service; behind a gateway of AWS, a signed request.",
                }
            },
        },
    }


def _search(sync: Sync) -> Json:
    offered = sync.search
    parameters = [
        _parameter("q", "The words searched for.", {"type": "string", "maxLength": MAX_QUERY}),
        _parameter(
            "size", "Most hits.", {"type": "integer", "minimum": 0, "maximum": MAX_HITS, "default": DEFAULT_HITS}
        ),
        _parameter("sort", "The order.", {"type": "string", "enum": [RELEVANCE, *offered.sorts]}),
        _parameter("cursor", "Where the page before ended.", {"type": "string", "maxLength": MAX_CURSOR}),
        _parameter("after", "The change token of a write to wait for.", {"type": "string", "maxLength": MAX_TOKEN}),
    ]
    for name in offered.facets:
        values = {"type": "array", "items": {"type": "string", "maxLength": MAX_FILTER_VALUE}}
        parameters.append(_parameter(name, f"Values of {name}, any of them.", values) | {"explode": True})
    return _read("search", "Documents by the words in them.", "Found", 400, 429, 503) | {"parameters": parameters}


def _opaque(longest: int) -> Json:
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[A-Za-z0-9_-]+$"}


def _suggest() -> Json:
    q = _parameter("q", "What is being typed.", {"type": "string", "maxLength": MAX_QUERY})
    return _read("suggest", "Completions while typing.", "Suggestions", 400, 429, 503) | {"parameters": [q]}


def _document(sync: Sync) -> Json:
    versioned = sync.search.version is not None
    identity = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The document's id: the text of the item's key, percent-encoded.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_BYTES},
    }
    tag = {"ETag": {"description": "The item's version.", "schema": {"type": "string"}}} if versioned else {}
    known = _header("If-None-Match", "A version that the client has.", {"type": "string"})
    match = _header("If-Match", 'The version expected, in quotes: "3".', {"type": "string", "pattern": VERSION_TAG})
    absent = _header("If-None-Match", "There must be no such item.", {"type": "string", "enum": ["*"]})
    return {
        "parameters": [identity],
        "get": _operation("readDocument", "One item, as it is now.", "Item", 304, 400, 404, 429, 503, headers=tag)
        | {"parameters": [known] if versioned else []},
        "put": _operation(
            "writeDocument", "Write an item, or replace it.", "Written", *_OF_WRITES, *((428,) if versioned else ()),
            headers=tag,
        )
        | {
            "parameters": [match, absent] if versioned else [absent],
            "requestBody": {"required": True, "content": _content("SentItem")},
            "security": _WRITER,
        },
        "delete": _operation("deleteDocument", "Delete an item.", "Deleted", 400, 401, 403, 404, 412, 503)
        | {"parameters": [match] if versioned else [], "security": _WRITER},
    }  # fmt: skip


_OF_WRITES = (400, 401, 403, 412, 413, 422, 503)


def _ready() -> Json:
    operation = _read("ready", "Whether searches should come here.", "Status")
    operation["responses"]["503"] = {"description": "Not now; the reasons are told.", "content": _content("Status")}
    return operation


def _live_view() -> Json:
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "What to start.",
        "schema": {"type": "string", "enum": list(OPERATIONS)},
    }
    started = _operation("startOperation", "Start an operation; one runs at a time.", None, 401, 403, 404, 409)
    started["responses"]["202"] = started["responses"].pop("200") | {"description": "It has begun."}
    return {
        "/api/live": {"get": _read("liveView", "What happens between table and index.", None)},
        "/api/operations/{name}": {"parameters": [name], "post": started | {"security": _WRITER}},
    }


def _read(name: str, summary: str, schema: str | None, *refusals: int) -> Json:
    return _operation(name, summary, schema, *refusals)


def _operation(
    name: str, summary: str, schema: str | None, *refusals: int, headers: Mapping[str, Any] | None = None
) -> Json:
    answers: Json = {"200": {"description": "As asked.", "content": _content(schema)}}
    if headers:
        answers["200"]["headers"] = dict(headers)
    for status in refusals:
        answers[str(status)] = {"description": _REFUSALS[status]}
        if status != 304:
            answers[str(status)]["content"] = _content(_SCHEMA_OF.get(status, "Error"))
    return {"operationId": name, "summary": summary, "responses": answers}


def _content(schema: str | None) -> Json:
    told = {"$ref": f"#/components/schemas/{schema}"} if schema else {"type": "object"}
    return {"application/json": {"schema": told}}


def _parameter(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}
