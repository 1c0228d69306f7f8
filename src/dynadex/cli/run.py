"""`dynadex run`: the worker."""

from __future__ import annotations

from typing import Annotated

import typer

from dynadex.cli.options import DynamoDbUrl, OpenSearchUrl, SyncReference, say, stop_on_signals
from dynadex.settings import Settings
from dynadex.sync import load_sync


def run(
    sync: SyncReference,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: Annotated[
        str | None, typer.Option(metavar="WHERE", help="Where keys are parked that cannot be indexed: file:PATH.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Most stream records per batch.")] = None,
    batch_window: Annotated[float | None, typer.Option(help="Seconds a batch may wait to fill up.")] = None,
    max_attempts: Annotated[
        int | None, typer.Option(help="Retries of a failing batch before its records are parked. Default: no limit.")
    ] = None,
    max_age: Annotated[
        float | None, typer.Option(help="Seconds after which a record is parked instead of tried. Default: no limit.")
    ] = None,
) -> None:
    """Follow a table's stream and keep its index in step, until Ctrl-C or SIGTERM.

    Reads every shard, writes batches to the index, and keeps its place in a table called TABLE-dynadex. Start it
    twice and the second one stands by. Example:

        dynadex run lessons:sync --opensearch http://127.0.0.1:9200
    """
    from dynadex.run.event_source_mapping import Limits
    from dynadex.run.follow import follow

    settings = Settings.from_environment(
        opensearch_url=opensearch,
        dynamodb_url=dynamodb,
        dead_letters=dead_letters,
        batch_size=batch_size,
        batch_window_seconds=batch_window,
    )
    limits = Limits(maximum_retry_attempts=max_attempts, maximum_record_age_seconds=max_age)
    with stop_on_signals() as stop:
        follow(load_sync(sync), settings, stop, say, limits)
