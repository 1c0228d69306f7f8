"""One address before several regions: a small HTTP proxy that sends each caller to the region that Route 53 would.

Health checks ask every region's ``/health/ready`` once a period. ``X-Location`` says where a caller is; the answer's
``X-Dynadex-Region`` says who answered. A request is never sent twice: like a DNS name, the router knows only what the
checks found, so that for up to a period callers meet a region that is gone.
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
# One slow answer says nothing yet; nobody there at all says enough.
_FAILURES = 2
_CHECK_SECONDS = 2.5
_ANSWER_SECONDS = 30.0
_MAX_CONNECTIONS = 100
_THIS_MACHINE = frozenset(("127.0.0.1", "localhost", "::1"))
_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
# What concerns one connection only, and what httpx has undone or will do anew.
_OF_A_CONNECTION = frozenset(
    ("connection", "content-encoding", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
)
# Every server says these for itself.
_OF_A_SERVER = frozenset(("date", "server"))


@dataclass(frozen=True, slots=True)
class ReadyRegions:
    """What the last health check of a region found. ``cut``: it was cut off on purpose."""

    healthy: bool = False
    reasons: tuple[str, ...] = ("not checked yet",)
    lag_seconds: float | None = None
    cut: bool = False
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Switches:
    """How a region is cut off and brought back, by name. Both block, and may raise DynadexError."""

    cut: Callable[[str], None]
    restore: Callable[[str], None]


class Router:
    """``urls`` tells where each region's service answers now, None while it does not."""

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
        self._checked = {region: ReadyRegions() for region in routes.regions}
        self._client = httpx.AsyncClient(
            timeout=_ANSWER_SECONDS,
            limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_CONNECTIONS),
            transport=transport,
            trust_env=False,
        )

    def app(self) -> SecurityHeaders:
        """The router as an ASGI application, whose lifespan runs the health checks."""
        app = Starlette(
            routes=[
                Route("/regions", self._regions),
                Route("/regions/{name}/cut", self._switch(self._switches.cut, cut=True), methods=["POST"]),
                Route("/regions/{name}/restore", self._switch(self._switches.restore, cut=False), methods=["POST"]),
                Route("/api/config", self._config),
                Route("/{path:path}", self._pass_on, methods=_METHODS),
            ],
            exception_handlers=HANDLERS,
            lifespan=self._checking,
        )
        return SecurityHeaders(app)

    async def check_all(self) -> None:
        """One health check of every region, all at once."""
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
        found, before = await self._asked(self._urls()[region]), self._checked[region]
        if not found.healthy and not found.failures:
            found = replace(found, failures=before.failures + 1)
        healthy = found.healthy or (before.healthy and found.failures < _FAILURES)
        # Whether it was cut off may have changed meanwhile.
        self._checked[region] = replace(found, healthy=healthy, cut=self._checked[region].cut)

    async def _asked(self, url: str | None) -> ReadyRegions:
        """What a region says of itself; with failures, if nobody is there to say anything."""
        if url is None:
            return ReadyRegions(reasons=("it does not run",), failures=_FAILURES)
        try:
            answer = await self._client.get(f"{url}/health/ready", timeout=_CHECK_SECONDS)
            told = answer.json()
            return ReadyRegions(answer.is_success, tuple(told.get("reasons", ())), told.get("lag_seconds"))
        except httpx.ConnectError:
            return ReadyRegions(reasons=("it does not answer",), failures=_FAILURES)
        except (httpx.HTTPError, ValueError):
            return ReadyRegions(reasons=("it does not answer in time",))

    async def _regions(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        told = [
            {
                "name": region,
                "state": "cut" if checked.cut else "up",
                "healthy": checked.healthy,
                "reasons": list(checked.reasons),
                "lag_seconds": checked.lag_seconds,
                "locations": self._routes.locations(region),
            }
            for region, checked in self._checked.items()
        ]
        return reply({"regions": told, "locations": list(LOCATIONS), "default": self._routes.default})

    def _switch(self, act: Callable[[str], None], *, cut: bool) -> Callable[[Request], Awaitable[Response]]:
        async def switch(request: Request) -> Response:
            # Another site's page could have its own name lead to this machine, and then be no foreign origin.
            if request.url.hostname not in _THIS_MACHINE:
                raise Problem(403, "cross_origin", "A region is cut off and brought back on this machine only.")
            name = request.path_params["name"]
            if name not in self._checked:
                raise Problem(404, "not_found", "There is no such region.")
            self._checked[name] = replace(self._checked[name], cut=cut)
            answer = reply({"name": name, "state": "cut" if cut else "up"}, 202)
            # Starting takes a while; how it went, the health checks will tell.
            answer.background = BackgroundTask(self._act, act, name)
            return answer

        return switch

    async def _act(self, act: Callable[[str], None], name: str) -> None:
        try:
            await run_in_threadpool(act, name)
        except DynadexError as error:
            _log.warning("%s", error)
            self._checked[name] = replace(self._checked[name], cut=True)

    async def _config(self, request: Request) -> Response:
        answer = await self._ask(request)
        if answer.is_success:
            return reply({**decode(answer.content), "regions": True})
        return _passed_on(answer)

    async def _pass_on(self, request: Request) -> Response:
        return _passed_on(await self._ask(request))

    async def _ask(self, request: Request) -> httpx.Response:
        healthy = [region for region, checked in self._checked.items() if checked.healthy]
        region = self._routes.choose(request.headers.get(LOCATION_HEADER), healthy)
        url = self._urls()[region]
        if url is None:
            raise _gone(region)
        query: bytes = request.scope["query_string"]
        # As it was sent: an id may hold an escaped slash.
        target = request.scope["raw_path"] + (b"?" + query if query else b"")
        headers = [
            (name, value) for name, value in request.headers.raw if name.decode().lower() not in _OF_A_CONNECTION
        ]
        try:
            return await self._client.request(
                request.method,
                httpx.URL(url).copy_with(raw_path=target),
                headers=headers,
                content=await request.body() or None,
            )
        except httpx.HTTPError as error:
            raise _gone(region) from error


def _passed_on(answer: httpx.Response) -> Response:
    passed = Response(answer.content, answer.status_code)
    passed.raw_headers = [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.decode().lower() not in _OF_A_CONNECTION | _OF_A_SERVER
    ]
    passed.headers["content-length"] = str(len(answer.content))
    return passed


def _gone(region: str) -> Problem:
    return Problem(502, "region_unreachable", f"Region {region} does not answer.", headers={REGION_HEADER: region})
