"""The HTTP service: search, single documents, and the page.

Searches go to the index, documents come from and go to the table: what is written here becomes searchable the way
every other change does. Answers are JSON; so are errors: ``{"error": {"code": ..., "message": ...}}``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dynadex.change import Item
from dynadex.document.body import encode
from dynadex.document.identity import KeySchema
from dynadex.errors import SearchError, SourceError
from dynadex.search import offer, query
from dynadex.search.answer import answer
from dynadex.search.guard import Guard
from dynadex.search.health import MOST_LAG_SECONDS, Freshness, Health
from dynadex.search.items import item_for, key_for
from dynadex.search.problems import Problem, bad_request
from dynadex.source.attribute_values import plain
from dynadex.sync import Sync

PAGE = Path(__file__).with_name("page")
# DynamoDB's own limit for an item.
MOST_BYTES = 400 * 1024
_SEARCH_SECONDS = 5.0
_BAD_REQUEST = 400

_log = logging.getLogger(__name__)


class Index(Protocol):
    """What is asked of the index."""

    def search(self, index: str, body: Mapping[str, Any], timeout_seconds: float | None = None) -> Any:
        """A search, as OpenSearch answers it."""


class Items(Protocol):
    """What is asked of the table."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items with these keys as they are now."""

    def put(self, item: Item) -> None:
        """Write one item."""

    def delete(self, key: Item) -> bool:
        """Delete one item; False when there was none."""


def create_app(
    sync: Sync,
    index: Index,
    table: Items,
    schema: KeySchema,
    freshness: Freshness | None = None,
    ready_lag_seconds: float = MOST_LAG_SECONDS,
) -> Starlette:
    """The service for one Sync, as an ASGI application.

    It is not ready with a larger lag than ``ready_lag_seconds``; without ``freshness`` the lag is not known.
    """
    service = _Service(sync, index, table, schema)
    health = _Health(Health(sync.index, index, freshness, ready_lag_seconds))
    document = "/api/documents/{id:path}"
    return Starlette(
        routes=[
            Route("/api/search", service.search),
            Route("/api/config", service.config),
            Route(document, service.read, methods=["GET"]),
            Route(document, service.write, methods=["PUT"]),
            Route(document, service.delete, methods=["DELETE"]),
            Route("/health/live", health.live),
            Route("/health/ready", health.ready),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            Problem: _problem,
            HTTPException: _http_problem,
            SearchError: _index_problem,
            SourceError: _table_problem,
            Exception: _defect,
        },
    )


class _Service:
    """The endpoints. A plain method runs in a thread, for the clients behind it block."""

    def __init__(self, sync: Sync, index: Index, table: Items, schema: KeySchema) -> None:
        self._sync = sync
        self._index = index
        self._table = table
        self._schema = schema
        self._order = offer.order(sync)
        self._config = offer.config(sync, schema)

    def search(self, request: Request) -> Response:
        offered = self._sync.search
        wanted = query.parse(request.query_params.multi_items(), offered.facets)
        try:
            reply = self._index.search(self._sync.index, query.body(offered, wanted, self._order), _SEARCH_SECONDS)
        except SearchError as error:
            if error.status == _BAD_REQUEST and wanted.filters:
                raise bad_request("bad_filter", "A facet cannot have one of the values given.") from error
            raise
        return _json(answer(reply, offered.facets))

    def config(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        return _json(self._config)

    def read(self, request: Request) -> Response:
        [item] = self._table.read_items([key_for(self._schema, request.path_params["id"])])
        if item is None:
            raise _no_such_item()
        return _json(plain(item))

    async def write(self, request: Request) -> Response:
        key = key_for(self._schema, request.path_params["id"])
        item = item_for(self._schema, key, await _body(request))
        await run_in_threadpool(self._table.put, item)
        return _json(plain(item))

    def delete(self, request: Request) -> Response:
        if not self._table.delete(key_for(self._schema, request.path_params["id"])):
            raise _no_such_item()
        return Response(status_code=204)


class _Health:
    """The endpoints that load balancers ask."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def live(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        return _json({"status": "live"})

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        found = await self._health.ready()
        return _json(found.as_json(), 503 if found.reasons else 200)


async def _body(request: Request) -> bytes:
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > MOST_BYTES:
            raise Problem(413, "too_large", f"An item has at most {MOST_BYTES // 1024} KB.")
    return bytes(received)


def _no_such_item() -> Problem:
    return Problem(404, "not_found", "There is no item with this id.")


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(encode(content), status, media_type="application/json", headers={"Cache-Control": "no-store"})


def _told(status: int, code: str, message: str) -> Response:
    return _json({"error": {"code": code, "message": message}}, status)


def _problem(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(problem, Problem)
    return _told(problem.status, problem.code, problem.message)


def _http_problem(request: Request, problem: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(problem, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    response = _told(problem.status_code, codes.get(problem.status_code, "bad_request"), f"{problem.detail}.")
    response.headers.update(problem.headers or {})
    return response


def _index_problem(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    _log.warning("%s", error)
    return _told(503, "index_unavailable", "The search index is not available right now.")


def _table_problem(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette passes it
    assert isinstance(error, SourceError)
    _log.warning("%s", error)
    if error.reason.startswith("ValidationException"):
        return _told(400, "refused", "The table does not take this item: a value is outside of DynamoDB's limits.")
    return _told(503, "table_unavailable", "The table is not available right now.")


def _defect(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette logs and raises it
    return _told(500, "internal", "Something went wrong in the service.")
