"""A router in front of several regions: an HTTP proxy that chooses the region of a request as Route 53 does.

It calls ``/health/ready`` of every region once per period. The header ``X-Location`` of a request is the location of
the client, ``X-Dynadex-Region`` of the response is the region that served it. Requests are not retried: as with DNS,
the choice depends only on the last health checks, so for up to a period requests reach a region that has failed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dynadex.demo.routing import LOCATIONS, Routes
from dynadex.document.body import decode
from dynadex.errors import DynadexError
from dynadex.http.errors import HANDLERS
from dynadex.http.response import reply
from dynadex.http.security_headers import REGION_HEADER, SecurityHeaders
from dynadex.search.problem import Problem

_log = logging.getLogger(__name__)

LOCATION_HEADER = "X-Location"
PERIOD_SECONDS = 1.0
# A region is unhealthy after this number of failed checks, or after one refused connection.
_MAX_FAILURES = 2
_CHECK_SECONDS = 2.5
_RESPONSE_SECONDS = 30.0
_MAX_CONNECTIONS = 100
_THIS_MACHINE = frozenset(("127.0.0.1", "localhost", "::1"))
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
# Headers that apply to a single connection, and those that httpx has decoded or sets itself.
_HOP_BY_HOP = frozenset(
    ("connection", "content-encoding", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
# Headers that each server sets itself.
_SERVER_HEADERS = frozenset(("date", "server"))


@dataclass(frozen=True, slots=True)
class RegionHealth:
    """Result of the last health check of a region.

    ``failures`` is the number of failed checks in a row. ``cut`` is true if the region was shut down by request.
    """

    healthy: bool = False
    reasons: tuple[str, ...] = ("not checked yet",)
    lag_seconds: float | None = None
    cut: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Switches:
    """Functions that shut down and restart a region by name. Both block, and may raise DynadexError."""

    cut: Callable[[str], None]
    restore: Callable[[str], None]


class Router:
    """The router. ``urls`` returns the current URL of the service of each region, None while it is not running."""

    def __init__(
        self,
        routes: Routes,
        urls: Callable[[], Mapping[str, str | None]],
        switches: Switches,
        period_seconds: float = PERIOD_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._routes = routes
        self._urls = urls
        self._switches = switches
        self._period_seconds = period_seconds
        self._health = {region: RegionHealth() for region in routes.regions}
        self._client = httpx.AsyncClient(
            timeout=_RESPONSE_SECONDS,
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_CONNECTIONS),
            transport=transport,
            trust_env=False,
        )

    def app(self) -> SecurityHeaders:
        """Return the router as an ASGI application. Its lifespan runs the health checks."""
        app = Starlette(
            routes=[
                Route("/regions", self._regions),
                Route("/regions/{name}/cut", self._switch(self._switches.cut, cut=True), methods=["POST"]),
                Route("/regions/{name}/restore", self._switch(self._switches.restore, cut=False), methods=["POST"]),
                Route("/api/config", self._config),
                Route("/{path:path}", self._forward, methods=_METHODS),
            ],
            exception_handlers=HANDLERS,
            lifespan=self._checking,
        )
        return SecurityHeaders(app)

    async def check_all(self) -> None:
        """Check the health of all regions concurrently."""
        await asyncio.gather(*(self._check(region) for region in self._routes.regions))

    @asynccontextmanager
    async def _checking(self, _: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_checking())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._client.aclose()

    async def _keep_checking(self) -> None:
        while True:
            await self.check_all()
            await asyncio.sleep(self._period_seconds)

    async def _check(self, region: str) -> None:
        health, before = await self._request_health(self._urls()[region]), self._health[region]
        if not health.healthy and not health.failures:
            health = replace(health, failures=before.failures + 1)
        healthy = health.healthy or (before.healthy and health.failures < _MAX_FAILURES)
        # ``cut`` is read again, because it may have changed during the request.
        self._health[region] = replace(health, healthy=healthy, cut=self._health[region].cut)

    async def _request_health(self, url: str | None) -> RegionHealth:
        """Return the health that a region reports; unhealthy immediately if it cannot be reached."""
        if url is None:
            return RegionHealth(reasons=("it is not running",), failures=_MAX_FAILURES)
        try:
            response = await self._client.get(f"{url}/health/ready", timeout=_CHECK_SECONDS)
            report = response.json()
            return RegionHealth(response.is_success, tuple(report.get("reasons", ())), report.get("lag_seconds"))
        except httpx.ConnectError:
            return RegionHealth(reasons=("it does not respond",), failures=_MAX_FAILURES)
        except (httpx.HTTPError, ValueError):
            return RegionHealth(reasons=("it does not respond in time",))

    async def _regions(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        regions = [
            {
                "name": region,
                "state": "cut" if health.cut else "up",
                "healthy": health.healthy,
                "reasons": list(health.reasons),
                "lag_seconds": health.lag_seconds,
                "locations": self._routes.locations(region),
            }
            for region, health in self._health.items()
        ]
        return reply({"regions": regions, "locations": list(LOCATIONS), "default": self._routes.default})

    def _switch(self, action: Callable[[str], None], *, cut: bool) -> Callable[[Request], Awaitable[Response]]:
        async def switch(request: Request) -> Response:
            # Prevents DNS rebinding: another site could resolve its own name to this machine.
            if request.url.hostname not in _THIS_MACHINE:
                raise Problem(403, "cross_origin", "A region can be shut down and restarted only from this machine.")
            name = request.path_params["name"]
            if name not in self._health:
                raise Problem(404, "not_found", "The region does not exist.")
            self._health[name] = replace(self._health[name], cut=cut)
            response = reply({"name": name, "state": "cut" if cut else "up"}, 202)
            # In the background, because a start takes several seconds. The health checks report the result.
            response.background = BackgroundTask(self._act, action, name)
            return response

        return switch

    async def _act(self, action: Callable[[str], None], name: str) -> None:
        try:
            await run_in_threadpool(action, name)
        except DynadexError as error:
            _log.warning("%s", error)
            self._health[name] = replace(self._health[name], cut=True)

    async def _config(self, request: Request) -> Response:
        response = await self._send(request)
        if response.is_success:
            return reply({**decode(response.content), "regions": True})
        return _forwarded(response)

    async def _forward(self, request: Request) -> Response:
        return _forwarded(await self._send(request))

    async def _send(self, request: Request) -> httpx.Response:
        """Send a request to the region of its location. Raises Problem (502) if the region does not respond."""
        healthy = [region for region, health in self._health.items() if health.healthy]
        region = self._routes.choose(request.headers.get(LOCATION_HEADER), healthy)
        url = self._urls()[region]
        if url is None:
            raise _unreachable(region)
        query: bytes = request.scope["query_string"]
        # The raw path, because an id may contain an escaped slash.
        target = request.scope["raw_path"] + (b"?" + query if query else b"")
        headers = [(name, value) for name, value in request.headers.raw if name.decode().lower() not in _HOP_BY_HOP]
        try:
            return await self._client.request(
                request.method,
                httpx.URL(url).copy_with(raw_path=target),
                headers=headers,
                content=await request.body() or None,
            )
        except httpx.HTTPError as error:
            raise _unreachable(region) from error


def _forwarded(response: httpx.Response) -> Response:
    forwarded = Response(response.content, response.status_code)
    forwarded.raw_headers = [
        (name.lower(), value)
        for name, value in response.headers.raw
        if name.decode().lower() not in _HOP_BY_HOP | _SERVER_HEADERS
    ]
    forwarded.headers["content-length"] = str(len(response.content))
    return forwarded


def _unreachable(region: str) -> Problem:
    return Problem(502, "region_unreachable", f"Region {region} does not respond.", headers={REGION_HEADER: region})
