"""`dynadex rebuild` and `dynadex rollback`: replace the index that searches use, and return to the old one."""

from __future__ import annotations

from typing import Annotated

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.output import say
from dynadex.cli.progress import progress_bar
from dynadex.cli.refill import STOPPED, FromExport, ReadCapacity, Resume, Segments, dead_lettered, progress_on
from dynadex.cli.stopping import stop_on_signals
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync


def rebuild(
    sync: SyncReference,
    segments: Segments = None,
    read_capacity: ReadCapacity = None,
    resume: Resume = False,
    from_export: FromExport = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every item before promoting the index, instead of a sample.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Promote the new index even if it is worse than the old one.")
    ] = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Build a new index and switch searches to it.

    Use it after a change of the mapping, the analyzers or the document function. Writes and searches continue during
    the rebuild. Before the new index is promoted, it is compared with its table and with the old index; a worse one is
    rejected. The old index is kept, and kept up to date, until `dynadex retire`. If a worker is running, restart it
    with the new declaration as soon as the command reports that the index is created. Safe to interrupt: continue with
    --resume. Examples:

        dynadex rebuild lessons:sync

        dynadex rebuild lessons:sync --verify --segments 8
    """
    from dynadex.clock import StoppableClock, Stopping
    from dynadex.refill.rebuild import RebuildOptions
    from dynadex.refill.rebuild import rebuild as run_rebuild
    from dynadex.refill.refill import RefillOptions
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )
    options = RebuildOptions(RefillOptions(segments, read_capacity, resume, from_export), verify, force)
    with stop_on_signals() as stop, progress_bar() as bar:
        runtime = connect(load_sync(sync), settings, StoppableClock(stop))
        try:
            done = run_rebuild(runtime, options, stop, progress_on(bar))
        except Stopping:
            bar.close("rebuild stopped before its end; searches still use the old index: continue with --resume")
            raise typer.Exit(STOPPED) from None
        bar.close()
        for line in dead_lettered(done.refilled, settings):
            say(line)
        if done.comparison:
            say(str(done.comparison))
        say(f"searches use {done.name}")
        if done.comparison:
            old = done.comparison.old
            say(f"{old} is kept: `dynadex rollback {sync}` returns to it, `dynadex retire {sync}` deletes it")


def rollback(
    sync: SyncReference,
    to: Annotated[
        str | None, typer.Option(metavar="INDEX", help="Index to use. Default: the newest of the other indexes.")
    ] = None,
    opensearch: OpenSearchUrl = None,
) -> None:
    """Switch searches back to the old index.

    Undoes the promotion by the last rebuild, and takes effect immediately. The old index is up to date, because every
    change was written to it too. Run the command again to switch forward. Example:

        dynadex rollback lessons:sync
    """
    from dynadex.index.lifecycle import roll_back
    from dynadex.runtime import search_cluster

    cluster = search_cluster(RuntimeSettings.from_environment(opensearch_url=opensearch))
    before, now = roll_back(cluster, load_sync(sync).index, to)
    say(f"searches use {now} instead of {before}, which is kept")
