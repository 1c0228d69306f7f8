"""Options that several commands share, and how a command talks."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Annotated

import typer

STANDARD_ERROR = 2

_SYNC = re.compile(r"^(\w+) *(?::.*)?= *(?:dynadex\.)?Sync\(", re.MULTILINE)


def _syncs_here(incomplete: str) -> list[str]:
    """References that a shell may complete: what modules in this folder seem to declare; none of them is run."""
    found = []
    for path in sorted(Path().glob("*.py")):
        names = _SYNC.findall(path.read_text(encoding="utf-8", errors="replace"))
        found += [f"{path.stem}:{name}" for name in names]
    return [reference for reference in found if reference.startswith(incomplete)]


SyncReference = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:ATTRIBUTE",
        help="Your Sync: a module that can be imported from here, and its name there, as in lessons:sync.",
        autocompletion=_syncs_here,
    ),
]
Sample = Annotated[int, typer.Option(min=1, metavar="N", help="Look at so many items, taken from all over the table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print a JSON object per line.")]
OpenSearchUrl = Annotated[
    str | None, typer.Option("--opensearch", metavar="URL", help="The search cluster. Default: OPENSEARCH_URL.")
]
DynamoDbUrl = Annotated[
    str | None,
    typer.Option("--dynamodb", metavar="URL", help="The DynamoDB endpoint. Default: DYNADEX_DYNAMODB_URL, else AWS."),
]


def say(line: str) -> None:
    """Tell the person at the terminal; standard error, so that standard output stays data."""
    print(f"dynadex: {line}", file=sys.stderr, flush=True)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines, their columns below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process the hard way."""
    stop = threading.Event()
    # Not stop.set() in the handler: it may come in the middle of a wait, whose lock cannot be entered twice. A
    # SimpleQueue may be put into anywhere.
    asked: SimpleQueue[bool] = SimpleQueue()
    heard = False

    def pass_on() -> None:
        if asked.get():
            stop.set()

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        # Before it is told: whoever reads the line may send the second one at once.
        heard = True
        asked.put(True)
        # Not say(): a print cannot be entered twice either.
        line = f"dynadex: stopping ({signal.Signals(number).name}); once more to stop at once\n"
        os.write(STANDARD_ERROR, line.encode())

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    listener = threading.Thread(target=pass_on, name="signals", daemon=True)
    listener.start()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        asked.put(False)
        listener.join()
