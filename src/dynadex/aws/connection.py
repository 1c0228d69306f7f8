"""The clients of a Lambda function, made at its first invocation and kept for the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dynadex.aws.steps import remaining_seconds
from dynadex.index.results import BulkStats
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.state.lag import StateLag
from dynadex.sync import Sync

# So many requests that run into their time-outs still fit into one invocation.
_REQUESTS_PER_INVOCATION = 3


class Connection:
    """A Sync's clients and writers in one function. ``bulk_stats`` counts the requests of the current invocation."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._runtime: Runtime | None = None
        self.bulk_stats = BulkStats()

    def runtime(self, context: Any) -> Runtime:
        """Begin an invocation: return what it works with. Raises SourceError when the table cannot be read."""
        self.bulk_stats = BulkStats()
        if self._runtime is None:
            settings = RuntimeSettings.from_environment()
            # The first invocation has about as long as any: no request may outlive one, or its write would come late.
            longest = max(1.0, remaining_seconds(context) / _REQUESTS_PER_INVOCATION)
            limited = min(settings.opensearch_timeout_seconds, longest)
            settings = replace(settings, opensearch_timeout_seconds=limited)
            self._runtime = connect(self._sync, settings, on_bulk=lambda *bulk: self.bulk_stats.add(*bulk))
        return self._runtime


def http_service(sync: Sync) -> Callable[[Any, Any], dict[str, Any]]:
    """The HTTP service as a handler for an HTTP API. Raises SourceError when the table cannot be read."""
    from mangum import Mangum

    from dynadex.http.app import HttpOptions, create_app
    from dynadex.http.auth import GatewayAuth

    settings = RuntimeSettings.from_environment()
    runtime = connect(sync, settings)
    # A function without a state table in its settings has no right to look for one either.
    lag_source = StateLag(runtime.state(), runtime.clock) if settings.state_table else None
    options = HttpOptions(
        auth=GatewayAuth(),
        cors_origins=settings.origins,
        lag_source=lag_source,
        max_ready_lag_seconds=settings.max_ready_lag_seconds,
        timing=settings.timing,
    )
    app = create_app(sync, runtime.index, runtime.table, runtime.description.schema, options)
    return Mangum(app, lifespan="off")
