"""`dynadex rebuild` and `dynadex rollback`: a new index beside the old one, and back."""

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
    verify: Annotated[bool, typer.Option("--verify", help="Compare every item before the swap, not a sample.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Swap even if the new index is worse than the old.")] = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Build a new index as declared now, while writes and searches go on; then let searches use it.

    For a new mapping, new analyzers, a new document function. The new index is compared with its table and with the
    old index before the swap, and a worse one is refused. The old one is kept, and kept fresh, until
    `dynadex retire`. Where a worker runs, start it with the new declaration as soon as this says that the index is
    created. Examples:

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
            bar.close("rebuild stopped before its end; searches use the old index: go on with --resume")
            raise typer.Exit(STOPPED) from None
        bar.close()
        for told in dead_lettered(done.refilled, settings):
            say(told)
        if done.comparison:
            say(str(done.comparison))
        say(f"searches use {done.name}")
        if done.comparison:
            old = done.comparison.old
            say(f"{old} is kept: `dynadex rollback {sync}` goes back to it, `dynadex retire {sync}` removes it")


def rollback(
    sync: SyncReference,
    to: Annotated[
        str | None, typer.Option(metavar="INDEX", help="Which index. Default: the newest one that is kept.")
    ] = None,
    opensearch: OpenSearchUrl = None,
) -> None:
    """Let searches use the index from before the last rebuild again, at once.

    It was written all the time, so it is up to date. Once more goes forward again. Example:

        dynadex rollback lessons:sync
    """
    from dynadex.index.lifecycle import roll_back
    from dynadex.runtime import search_cluster

    cluster = search_cluster(RuntimeSettings.from_environment(opensearch_url=opensearch))
    before, now = roll_back(cluster, load_sync(sync).index, to)
    say(f"searches use {now}, no longer {before}, which is kept")
