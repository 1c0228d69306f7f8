"""`dynadex refill`: backfill an index from its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.progress import Bar, progress_bar
from dynadex.cli.stopping import stop_on_signals
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync
from dynadex.text import counted

if TYPE_CHECKING:
    from dynadex.refill.refill import Refilled
    from dynadex.refill.segments import OnProgress, RefillProgress

STOPPED = 1

Segments = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        metavar="N",
        help="Number of parallel scans. Default: two for each processor of the search cluster's data nodes.",
    ),
]
ReadCapacity = Annotated[
    float | None,
    typer.Option(min=0.5, metavar="N", help="Limit of read capacity units per second. Default: no limit."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the last run where it was interrupted.")]
FromExport = Annotated[
    str | None,
    typer.Option(
        metavar="LOCATION",
        help="Read a point-in-time export (a folder, or s3://bucket/prefix), which uses no capacity of the table.",
    ),
]


def refill(
    sync: SyncReference,
    segments: Segments = None,
    read_capacity: ReadCapacity = None,
    resume: Resume = False,
    from_export: FromExport = None,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Backfill the index from its table.

    Writes every item of the table, and deletes documents without an item. Creates the index if it does not exist. Safe
    to repeat, to interrupt (continue with --resume), and to run while a worker applies changes. Examples:

        dynadex refill lessons:sync

        dynadex refill lessons:sync --segments 8 --read-capacity 200 --resume

        dynadex refill lessons:sync --from-export s3://my-exports/AWSDynamoDB/01700000000000-abcdefgh
    """
    from dynadex.clock import StoppableClock, Stopping
    from dynadex.refill.refill import RefillOptions
    from dynadex.refill.refill import refill as run_refill
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )
    options = RefillOptions(segments, read_capacity, resume, from_export)
    with stop_on_signals() as stop, progress_bar() as bar:
        runtime = connect(load_sync(sync), settings, StoppableClock(stop))
        try:
            done = run_refill(runtime, options, stop, progress_on(bar))
        except Stopping:
            bar.close("backfill stopped before its end: continue with --resume")
            raise typer.Exit(STOPPED) from None
        bar.close("; ".join(["backfill complete", *dead_lettered(done, settings)]))


def dead_lettered(done: Refilled, settings: RuntimeSettings) -> Iterator[str]:
    """Yield a line with the number and location of the keys that could not be indexed, if there are any."""
    if count := done.progress.result.dead_lettered:
        yield f"dead-lettered {counted(count, 'key')} that cannot be indexed: see {settings.dead_letters_location}"


def progress_on(bar: Bar) -> OnProgress:
    """Return a callback that shows the progress of a backfill on a bar."""

    def on_progress(progress: RefillProgress) -> None:
        result = progress.result
        parts = {
            "not indexed": result.not_indexed,
            "newer already": result.superseded,
            "dead-lettered": result.dead_lettered,
        }
        counts = [f"{result.applied:,} written", *(f"{count:,} {name}" for name, count in parts.items() if count)]
        bar.update(progress.items, progress.total, ", ".join(counts))

    return on_progress
