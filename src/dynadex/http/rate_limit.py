"""How often one client may ask, counted in this process alone.

Behind a gateway that throttles by itself there is no need of it.
"""

from __future__ import annotations

import time
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from starlette.requests import Request

from dynadex.search.problem import Problem

# Whoever has one address of IPv6 has all of its network.
_IPV6_NETWORK_BITS = 64


class RateLimit:
    """So many requests of one client in any second, and no more: a check for `dynadex.http.response.after`.

    The client is who holds the connection; behind a proxy, the server (uvicorn) tells whom the proxy speaks for.
    """

    def __init__(self, per_second: int) -> None:
        from limits import RateLimitItemPerSecond
        from limits.storage import MemoryStorage
        from limits.strategies import SlidingWindowCounterRateLimiter

        self._limit = RateLimitItemPerSecond(per_second)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def check(self, request: Request) -> None:
        """Raise Problem (429) when this client has asked too often."""
        client = client_of(request.client.host if request.client else "")
        if self._limiter.hit(self._limit, client):
            return
        seconds = self._limiter.get_window_stats(self._limit, client).reset_time - time.time()
        headers = {"Retry-After": str(max(1, ceil(seconds)))}
        raise Problem(429, "too_many_requests", "Too many requests: wait a moment.", headers=headers)


def client_of(host: str) -> str:
    """What requests of one client have in common: an address, of IPv6 the network."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(ip_network(f"{host.partition('%')[0]}/{_IPV6_NETWORK_BITS}", strict=False))
    return host
