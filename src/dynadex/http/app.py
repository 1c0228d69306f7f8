"""The HTTP service: search, single documents, and the page.

Searches go to the index, documents come from and go to the table: what is written here becomes searchable the way
every other change does. Answers are JSON; so are errors: ``{"error": {"code": ..., "message": ...}}``.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from dynadex.http.health import MAX_LAG_SECONDS, Health, LagSource
from dynadex.http.health_endpoints import HealthEndpoints
from dynadex.http.rate_limit import RateLimit
from dynadex.http.read_your_writes import ReadYourWrites
from dynadex.http.response import Endpoint, after, constant
from dynadex.http.searches import SearchEndpoints
from dynadex.http.security_headers import SecurityHeaders
from dynadex.sync import Sync

__all__ = ["MAX_BYTES", "ItemStore", "ServedIndex", "create_app"]

PAGE = Path(__file__).with_name("page")
_LIVE = "/api/live"
_DOCUMENT = "/api/documents/{id:identity}"


class _Identity(PathConvertor):
    """Any text; Starlette's own ``path`` knows no address with a line break in it, which a key may well have."""

    regex = r"[\s\S]*"


register_url_convertor("identity", _Identity())


class ServedIndex(read_your_writes.RealtimeIndex, health.MonitoredIndex, Protocol):
    """What is asked of the index."""


def create_app(
    sync: Sync,
    index: ServedIndex,
    table: ItemStore,
    schema: KeySchema,
    freshness: LagSource | None = None,
    ready_lag_seconds: float = MAX_LAG_SECONDS,
    *,
    auth: Auth | None = None,
    requests_per_second: int | None = None,
    origins: Sequence[str] = (),
    region: str | None = None,
    extra_routes: Sequence[BaseRoute] = (),
    timing: Timing | None = None,
    clock: Clock | None = None,
) -> SecurityHeaders:
    """The service for one Sync, as an ASGI application.

    It is not ready with a larger lag than ``ready_lag_seconds``; without ``freshness`` the lag is not known. Without
    ``auth`` nobody may write. ``requests_per_second`` limits the reads of one client; None leaves that to whatever is
    in front. ``origins`` are other sites whose pages may ask. ``extra_routes`` come before the page. ``timing``: what
    the clocks of the table's stream are worth.
    """
    clock, auth = clock or SystemClock(), auth or NoWrites()
    shown = ReadYourWrites(sync, index, table, schema, timing or Timing(), clock)
    searches, documents = SearchEndpoints(sync, index, schema, shown), DocumentEndpoints(sync, table, schema, clock)
    fitness = HealthEndpoints(Health(sync.index, index, freshness, ready_lag_seconds))
    limit = RateLimit(requests_per_second) if requests_per_second else None

    def public(endpoint: Endpoint) -> Endpoint:
        return after(limit.check, endpoint) if limit else endpoint

    live = any(isinstance(route, Route) and route.path == _LIVE for route in extra_routes)
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
            Route("/health/live", fitness.live),
            Route("/health/ready", fitness.ready),
            *extra_routes,
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ],
        exception_handlers=HANDLERS,
    )
    # Outermost, so that no answer is without its headers, not even one to a defect.
    return SecurityHeaders(app, origins, region)
