"""Options that several commands share, and how a command talks."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

STANDARD_ERROR = 2

SyncReference = Annotated[
    str, typer.Argument(metavar="MODULE:ATTRIBUTE", help="Where your Sync is, for example lessons:sync.")
]
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


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process the hard way."""
    stop = threading.Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        # Not say(): a signal may come in the middle of a print, which cannot be entered twice.
        line = f"dynadex: stopping ({signal.Signals(number).name}); once more to stop at once\n"
        os.write(STANDARD_ERROR, line.encode())
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
