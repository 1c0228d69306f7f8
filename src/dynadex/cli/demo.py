"""`dynadex demo`: everything on this machine, with real lessons."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dynadex.cli.output import lines_through, say
from dynadex.cli.stopping import stop_on_signals
from dynadex.errors import DynadexError


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes any free one.")] = 8080,
    songs: Annotated[int | None, typer.Option(min=1, help="How many songs to load. Default: all.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
    regions: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Two to four regions, such as us-east-1,eu-west-1.")
    ] = None,
    directory: Annotated[Path, typer.Option("--dir", help="Folder for logs.")] = Path(".dynadex/demo"),
    opensearch: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this OpenSearch, which runs. Default: one is started.")
    ] = None,
    dynamodb: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this DynamoDB, which runs. Default: one is started.")
    ] = None,
) -> None:
    """Music lessons, searchable on this machine: table, stream, index, worker and page in one command.

    Starts a local DynamoDB and a local search engine, loads songs, and serves a page to search and edit them.
    Nothing is kept after Ctrl-C. Examples:

        dynadex demo --songs 500 --port 9000

        dynadex demo --regions us-east-1,eu-west-1

    With --regions, each has its own replica of the table, index, worker and service, and the page goes through a
    router that sends everybody to the nearest region that is healthy. The page can cut a region off and bring it back.
    """
    try:
        from dynadex.demo.demo import DemoOptions, DemoTalk, run_demo
        from dynadex.demo.regions import checked_names, run_regions
    except ModuleNotFoundError as missing:
        raise DynadexError(
            "run", "the demo", f"{missing.name} is not installed", "Install it: pip install 'dynadex[local]'."
        ) from missing

    def ready(url: str, token: str) -> None:
        end_progress()
        page = f"{url}/#token={token}"
        print(f"to edit: {page}")
        print(f"ready: {url}", flush=True)
        if not no_browser and sys.stdout.isatty():
            webbrowser.open(page)

    options = DemoOptions(directory, port, songs, dynamodb, opensearch)
    names = checked_names([name.strip() for name in regions.split(",")]) if regions is not None else []
    if names and (opensearch or dynamodb):
        raise DynadexError(
            "run", "the demo in several regions", "each has a local backend of its own", "Leave out the URLs."
        )
    with stop_on_signals() as stop, _progress(songs) as (on_loaded, on_indexed, end_progress):
        talk = DemoTalk(on_loaded, on_indexed, ready)
        if names:
            run_regions(options, names, stop, talk)
        else:
            run_demo(options, stop, talk)


@contextmanager
def _progress(songs: int | None) -> Iterator[tuple[Callable[[int], None], Callable[[int], None], Callable[[], None]]]:
    """Two bars on a terminal, a line at each end elsewhere: songs in the table, songs in the index.

    Yields what to call with each count, and what ends the bars.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from dynadex.demo.songs import lessons

    total = sum(1 for _ in lessons(songs))
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    above = partial(console.print, markup=False, highlight=False)
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as bars,
        lines_through(above) if console.is_terminal else nullcontext(),
    ):
        tasks = {what: bars.add_task(what, total=total) for what in ("written to the table", "found in the index  ")}

        def update(what: str) -> Callable[[int], None]:
            def on_count(count: int) -> None:
                bars.update(tasks[what], completed=count)
                if count == total and not console.is_terminal:
                    say(f"{count:,} songs {what.strip()}")

            return on_count

        on_loaded, on_indexed = map(update, tasks)
        yield on_loaded, on_indexed, bars.stop
