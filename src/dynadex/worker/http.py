"""What a worker answers over HTTP: ``/metrics`` for Prometheus, ``/health/live`` and ``/health/ready`` for whoever
runs it."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dynadex.http.health import Health, HealthEndpoints
from dynadex.runtime import Runtime
from dynadex.state.lag import StateLag
from dynadex.worker.metrics import WorkerMetrics


class ObservedWorker:
    """A worker that is watched (``metrics``) and tells of it (``app``)."""

    def __init__(self, index: str) -> None:
        self.metrics = WorkerMetrics(index)

    def app(self, runtime: Runtime) -> Starlette:
        """The service, once it is known what the worker works with.

        It is ready as a search service is: with an index that is there, filled, and not far behind its table.
        """
        index = runtime.sync.index
        freshness = StateLag(runtime.state(), runtime.clock, has_worker=True)
        self.metrics.look_up(index, freshness, runtime.dead_letters, runtime.clock)
        endpoints = HealthEndpoints(Health(index, runtime.index, freshness, runtime.settings.max_ready_lag_seconds))

        def metrics(request: Request) -> Response:  # noqa: ARG001 - Starlette passes it
            return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

        return Starlette(
            routes=[
                Route("/metrics", metrics),
                Route("/health/live", endpoints.live),
                Route("/health/ready", endpoints.ready),
            ]
        )
