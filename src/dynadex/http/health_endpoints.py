"""``/health/live`` and ``/health/ready``, for load balancers and whoever restarts processes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dynadex.http.health import Health
from dynadex.http.response import reply


class HealthEndpoints:
    """The endpoints that load balancers ask."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def live(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        return reply({"status": "live"})

    async def ready(self, request: Request) -> Response:  # noqa: ARG002 - Starlette passes it
        found = await self._health.ready()
        return reply(found.as_json(), 503 if found.reasons else 200)
