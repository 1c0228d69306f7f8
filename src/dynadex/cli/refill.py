"""`dynadex refill`: load an index from its table."""

from __future__ import annotations

from dynadex.cli.options import DynamoDbUrl, OpenSearchUrl, SyncReference, say, stop_on_signals
from dynadex.settings import Settings
from dynadex.sync import load_sync


def refill(sync: SyncReference, opensearch: OpenSearchUrl = None, dynamodb: DynamoDbUrl = None) -> None:
    """Load the whole index from a scan of its table, while the stream keeps running.

    Creates the index if there is none. Safe to repeat and to run beside the worker. Example:

        dynadex refill lessons:sync
    """
    from dynadex.run.refill import refill_all

    settings = Settings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)
    with stop_on_signals() as stop:
        refill_all(load_sync(sync), settings, stop, say)
