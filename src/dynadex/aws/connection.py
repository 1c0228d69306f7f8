"""Clients of a Lambda function, created at its first invocation and reused by the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dynadex.aws.steps import remaining_seconds
from dynadex.index.results import BulkStats
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.sync import Sync

# This number of requests that time out must fit into one invocation.
_REQUESTS_PER_INVOCATION = 3


class Connection:
    """Runtime of a Sync in one function. ``bulk_stats`` counts the bulk requests of the current invocation."""

    def __init__(self, sync: Sync) -> None:
        self._sync = sync
        self._runtime: Runtime | None = None
        self.bulk_stats = BulkStats()

    def runtime(self, context: Any) -> Runtime:
        """Begin an invocation: reset ``bulk_stats`` and return the runtime.

        Raises SourceError if the table cannot be read.
        """
        self.bulk_stats = BulkStats()
        if self._runtime is None:
            settings = RuntimeSettings.from_environment()
            # No request may outlive its invocation, or its write would be late. All of them have about the same time.
            max_seconds = max(1.0, remaining_seconds(context) / _REQUESTS_PER_INVOCATION)
            limited = min(settings.opensearch_timeout_seconds, max_seconds)
            settings = replace(settings, opensearch_timeout_seconds=limited)
            self._runtime = connect(self._sync, settings, on_bulk=lambda *bulk: self.bulk_stats.add(*bulk))
        return self._runtime
