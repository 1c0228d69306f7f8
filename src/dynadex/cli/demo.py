"""`dynadex demo`: run all of dynadex on this machine, with a table of music lessons."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from dynadex.cli.options import SearchEngine
from dynadex.cli.output import redirect_lines, say
from dynadex.cli.stopping import stop_on_signals
from dynadex.errors import DynadexError
from dynadex.local.engine import Engine


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page. 0 chooses a free port.")] = 8080,
    songs: Annotated[int | None, typer.Option(min=1, help="Number of songs to load. Default: all.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
    regions: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Simulate two to four regions, such as us-east-1,eu-west-1.")
    ] = None,
    directory: Annotated[Path, typer.Option("--dir", help="Folder for logs and dead letters.")] = Path(".dynadex/demo"),
    opensearch: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this running OpenSearch. Default: start one.")
    ] = None,
    dynamodb: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this running DynamoDB. Default: start one.")
    ] = None,
    engine: SearchEngine = Engine.OPENSEARCH,
) -> None:
    """Run the whole system on this machine.

    Starts a local DynamoDB and OpenSearch, loads a table of music lessons, runs a worker, and serves a page to search
    and edit the lessons. Needs no AWS account, no Java and no Docker. The first start fetches OpenSearch, 55 MB. The
    data of the local backends is lost when they stop. Ctrl-C stops everything. Examples:

        dynadex demo --songs 500 --port 9000

        dynadex demo --regions us-east-1,eu-west-1

    With --regions, each region has its own replica of the table, index, worker and service, and a router sends each
    request to the nearest healthy region. The page can shut down a region and start it again.
    """
    try:
        from dynadex.demo.demo import DemoCallbacks, DemoOptions, run_demo
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

    options = DemoOptions(directory, port, songs, dynamodb, opensearch, engine)
    names = checked_names([name.strip() for name in regions.split(",")]) if regions is not None else []
    if names and (opensearch or dynamodb):
        raise DynadexError(
            "run", "the demo in several regions", "each region starts its own local backends", "Omit the URLs."
        )
    with stop_on_signals() as stop, _progress(songs) as (on_loaded, on_indexed, end_progress):
        callbacks = DemoCallbacks(on_loaded, on_indexed, ready)
        if names:
            run_regions(options, names, stop, callbacks)
        else:
            run_demo(options, stop, callbacks)


@contextmanager
def _progress(songs: int | None) -> Iterator[tuple[Callable[[int], None], Callable[[int], None], Callable[[], None]]]:
    """Show the number of songs in the table and in the index: two bars on a terminal, otherwise a line when complete.

    Yields two callbacks, which take the counts, and a function that removes the bars.
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
        redirect_lines(above) if console.is_terminal else nullcontext(),
    ):
        tasks = {label: bars.add_task(label, total=total) for label in ("written to the table", "found in the index  ")}

        def update(label: str) -> Callable[[int], None]:
            def on_count(count: int) -> None:
                bars.update(tasks[label], completed=count)
                if count == total and not console.is_terminal:
                    say(f"{count:,} songs {label.strip()}")

            return on_count

        on_loaded, on_indexed = map(update, tasks)
        yield on_loaded, on_indexed, bars.stop
