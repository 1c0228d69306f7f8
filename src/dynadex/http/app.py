"""The HTTP service as an ASGI application: search, single documents, health checks, and the page.

Searches read the index; documents are read from and written to the table, and a write becomes searchable like every
other change. Responses are JSON, and so are errors: ``{"error": {"code": ..., "message": ...}}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from dynadex.clock import Clock, SystemClock
from dynadex.document.identity import KeySchema
from dynadex.document.versioning import Timing
from dynadex.http import health, openapi, read_your_writes, ui_config
from dynadex.http.auth import Auth, NoWrites, protected
from dynadex.http.documents import MAX_BYTES, DocumentEndpoints, ItemStore
from dynadex.http.errors import HANDLERS
from dynadex.http.health import MAX_LAG_SECONDS, Health, HealthEndpoints, LagSource
from dynadex.http.rate_limit import RateLimit
from dynadex.http.read_your_writes import ReadYourWrites
from dynadex.http.response import Endpoint, checked, constant
from dynadex.http.searches import SearchEndpoints
from dynadex.http.security_headers import SecurityHeaders
from dynadex.sync import Sync

__all__ = ["MAX_BYTES", "HttpOptions", "ItemStore", "ServedIndex", "create_app"]

PAGE = Path(__file__).with_name("page")
_LIVE = "/api/live"
_DOCUMENT = "/api/documents/{id:identity}"


class _Identity(PathConvertor):
    """Any text. Starlette's own ``path`` matches no URL with a line break, which a key may contain."""

    regex = r"[\s\S]*"


register_url_convertor("identity", _Identity())


class ServedIndex(read_your_writes.SearchIndex, health.MonitoredIndex, Protocol):
    """The calls to the index that the service makes."""


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """Options of the HTTP service.

    Attributes:
        auth: Authorizes changes. By default, all changes are rejected.
        max_client_requests_per_second: The maximum number of reads of one client. None: no limit, as behind a gateway
            that throttles.
        cors_origins: Origins of other sites whose pages may read and, with a token, write.
        region: The name of the region, sent in a header of every response.
        lag_source: Reports how far the index is behind its table. None: the lag is unknown.
        max_ready_lag_seconds: With a larger lag, the service is not ready.
        timing: The granularity and the clock skew of the table's stream.
        extra_routes: Routes that precede the page.
        clock: The clock of the service.
    """

    auth: Auth = field(default_factory=NoWrites)
    max_client_requests_per_second: int | None = None
    cors_origins: Sequence[str] = ()
    region: str | None = None
    lag_source: LagSource | None = None
    max_ready_lag_seconds: float = MAX_LAG_SECONDS
    timing: Timing = field(default_factory=Timing)
    extra_routes: Sequence[BaseRoute] = ()
    clock: Clock = field(default_factory=SystemClock)


_DEFAULTS = HttpOptions()


def create_app(
    sync: Sync, index: ServedIndex, table: ItemStore, schema: KeySchema, options: HttpOptions = _DEFAULTS
) -> SecurityHeaders:
    """Return the HTTP service of one Sync as an ASGI application.

    Args:
        sync: The Sync whose index is searched and whose items are read and written.
        index: The search index, as ``Runtime.index``.
        table: The table, as ``Runtime.table``.
        schema: The key schema of the table, as ``Runtime.description.schema``.
        options: Authorization, limits, and surroundings of the service.

    Returns:
        An ASGI application.

    Raises:
        DeclarationError: The declared version attribute is part of the table's key.
    """
    auth = options.auth
    waiting = ReadYourWrites(sync, index, table, schema, options.timing, options.clock)
    searches = SearchEndpoints(sync, index, schema, waiting)
    documents = DocumentEndpoints(sync, table, schema, options.clock)
    health_checks = HealthEndpoints(Health(sync.index, index, options.lag_source, options.max_ready_lag_seconds))
    max_per_second = options.max_client_requests_per_second
    limit = RateLimit(max_per_second) if max_per_second else None

    def public(endpoint: Endpoint) -> Endpoint:
        return checked(limit.check, endpoint) if limit else endpoint

    live = any(isinstance(route, Route) and route.path == _LIVE for route in options.extra_routes)
    config = ui_config.config(sync, schema) | {"writes": auth.writes, "live": live, "regions": False}
    app = Starlette(
        routes=[
            Route("/api/search", public(searches.search)),
            Route("/api/suggest", public(searches.suggest)),
            Route("/api/config", constant(config)),
            Route("/api/openapi.json", constant(openapi.describe(sync, schema, live=live))),
            Route(_DOCUMENT, public(documents.read), methods=["GET"]),
            Route(_DOCUMENT, protected(auth, documents.write), methods=["PUT"]),
            Route(_DOCUMENT, protected(auth, documents.delete), methods=["DELETE"]),
            Route("/health/live", health_checks.live),
            Route("/health/ready", health_checks.ready),
            *options.extra_routes,
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        exception_handlers=HANDLERS,
    )
    # Outermost, so that every response has its headers, even the response to a defect.
    return SecurityHeaders(app, options.cors_origins, options.region)
