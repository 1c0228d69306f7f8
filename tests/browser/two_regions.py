"""Two simulated regions behind the demo's router: both are served by one demo, under different region names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from dynadex.demo.router import Router, Switches
from dynadex.demo.routing import routes_for
from dynadex.http.security_headers import REGION_HEADER
from dynadex.http.server import listening, serving, url_of

EUROPE, AMERICA = "eu-west-1", "us-east-1"
HOSTS: Mapping[str, str] = {f"{EUROPE}.test": EUROPE, f"{AMERICA}.test": AMERICA}
_PERIOD_SECONDS = 0.2


class _OneForAll(httpx.AsyncHTTPTransport):
    """Sends the requests for every region to one service, and sets the header of the requested region."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._service = httpx.URL(address)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        region = HOSTS[request.url.host]
        request.url = request.url.copy_with(host=self._service.host, port=self._service.port)
        response = await super().handle_async_request(request)
        response.headers[REGION_HEADER] = region
        return response


@contextmanager
def two_regions(address: str) -> Iterator[str]:
    """Yield the URL of a router in front of the demo at ``address``."""
    urls: dict[str, str | None] = {region: f"http://{host}" for host, region in HOSTS.items()}

    def cut(name: str) -> None:
        urls[name] = None

    def restore(name: str) -> None:
        urls[name] = f"http://{name}.test"

    transport = _OneForAll(address)
    router = Router(
        routes_for([EUROPE, AMERICA]), lambda: urls, Switches(cut, restore), _PERIOD_SECONDS, transport=transport
    )
    with listening(0) as sock, serving(router.app(), sock):
        yield url_of(sock)
