"""The HTTP service as a Lambda handler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from dynadex.state.lag import StateLag
from dynadex.sync import Sync


def http_service(sync: Sync) -> Callable[[Any, Any], dict[str, Any]]:
    """Create the HTTP service as a handler for an HTTP API. Raises SourceError if the table cannot be read."""
    from mangum import Mangum

    from dynadex.http.app import HttpOptions, create_app
    from dynadex.http.auth import GatewayAuth

    settings = RuntimeSettings.from_environment()
    runtime = connect(sync, settings)
    # A function without a state table in its settings may lack permission to describe one.
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
