"""`dynadex refill`: load an index from its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.progress import Bar, progress_bar
from dynadex.cli.stopping import stop_on_signals
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

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
        help="Parts of the table scanned at once. Default: two for each processor of the search cluster's data nodes.",
    ),
]
ReadCapacity = Annotated[
    float | None,
    typer.Option(min=0.5, metavar="N", help="Read no more than so many capacity units a second. Default: no limit."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the last one was interrupted.")]
FromExport = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Read a point-in-time export (a folder, or s3://bucket/prefix) instead of the table: no capacity used.",
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
    """Load the whole index from a scan of its table, while the stream keeps running.

    Creates the index if there is none; deletes documents that have no item. Safe to repeat, to interrupt and to run
    beside the worker. Examples:

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
            bar.close("refill stopped before its end; nothing is harmed: go on with --resume")
            raise typer.Exit(STOPPED) from None
        bar.close("; ".join(["refill complete", *dead_lettered(done, settings)]))


def dead_lettered(done: Refilled, settings: RuntimeSettings) -> Iterator[str]:
    """How many keys a refill could not index, and where they are; nothing if there are none."""
    if count := done.progress.result.dead_lettered:
        yield f"dead-lettered {count:,} keys that cannot be indexed, see {settings.dead_letters_location}"


def progress_on(bar: Bar) -> OnProgress:
    """Return a callback that shows a refill's progress on a bar."""

    def on_progress(now: RefillProgress) -> None:
        result = now.result
        parts = {
            "not indexed": result.not_indexed,
            "newer already": result.superseded,
            "dead-lettered": result.dead_lettered,
        }
        told = [f"{result.applied:,} written", *(f"{count:,} {name}" for name, count in parts.items() if count)]
        bar.update(now.items, now.total, ", ".join(told))

    return on_progress
