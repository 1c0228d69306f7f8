"""Rate limit of each client, counted within this process.

A service behind a gateway that throttles does not need it.
"""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from starlette.requests import Request

from dynadex.search.problem import Problem

# A client with one IPv6 address usually has all addresses of its /64 network.
_IPV6_NETWORK_BITS = 64


class RateLimit:
    """A maximum number of requests per client in any second: a check for `dynadex.http.response.checked`.

    The client is the peer of the connection. Behind a proxy, the server (uvicorn) replaces it with the address that
    the proxy forwards.
    """

    def __init__(self, max_per_second: int) -> None:
        from limits import RateLimitItemPerSecond
        from limits.storage import MemoryStorage
        from limits.strategies import SlidingWindowCounterRateLimiter

        self._limit = RateLimitItemPerSecond(max_per_second)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def check(self, request: Request) -> None:
        """Raise Problem (429) if the client has exceeded the limit."""
        client = client_of(request.client.host if request.client else "")
        if self._limiter.hit(self._limit, client):
            return
        seconds = self._limiter.get_window_stats(self._limit, client).reset_time - time.time()
        headers = {"Retry-After": str(max(1, ceil(seconds)))}
        raise Problem(429, "too_many_requests", "Too many requests. Wait a moment.", headers=headers)


def client_of(host: str) -> str:
    """Return what identifies a client: its IPv4 address, or its IPv6 network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(ip_network(f"{host.partition('%')[0]}/{_IPV6_NETWORK_BITS}", strict=False))
    return host
