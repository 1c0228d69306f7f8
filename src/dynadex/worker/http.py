"""HTTP service of a worker: ``/metrics`` for Prometheus, ``/health/live`` and ``/health/ready`` for an orchestrator."""

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


def worker_app(runtime: Runtime, metrics: WorkerMetrics) -> Starlette:
    """Create the HTTP service of a worker, and add to its metrics the gauges that need its backends.

    The worker is ready under the same conditions as a search service: the index exists, is filled, and its lag is
    within the limit.
    """
    index = runtime.sync.index
    lag = StateLag(runtime.state(), runtime.clock, has_worker=True)
    metrics.add_gauges(lag, runtime.dead_letters, runtime.clock)
    endpoints = HealthEndpoints(Health(index, runtime.index, lag, runtime.settings.max_ready_lag_seconds))

    def scrape(request: Request) -> Response:  # noqa: ARG001 - Starlette passes it
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/metrics", scrape),
            Route("/health/live", endpoints.live),
            Route("/health/ready", endpoints.ready),
        ]
    )
