"""Options that several commands share."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from dynadex.errors import DynadexError
from dynadex.local.engine import Engine

_SYNC = re.compile(r"^(\w+) *(?::.*)?= *(?:dynadex\.)?Sync\(", re.MULTILINE)


def _syncs_here(incomplete: str) -> list[str]:
    """Return references for shell completion: the Syncs that modules of this folder declare, by their text alone."""
    references = []
    for path in sorted(Path().glob("*.py")):
        names = _SYNC.findall(path.read_text(encoding="utf-8", errors="replace"))
        references += [f"{path.stem}:{name}" for name in names]
    return [reference for reference in references if reference.startswith(incomplete)]


SyncReference = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:ATTRIBUTE",
        help="Your Sync: an importable module and the name of the Sync in it, for example lessons:sync.",
        autocompletion=_syncs_here,
    ),
]
Sample = Annotated[int, typer.Option(min=1, metavar="N", help="Read this number of items, spread over the table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]
OpenSearchUrl = Annotated[
    str | None, typer.Option("--opensearch", metavar="URL", help="URL of the search cluster. Default: OPENSEARCH_URL.")
]
DynamoDbUrl = Annotated[
    str | None,
    typer.Option(
        "--dynamodb", metavar="URL", help="URL of the DynamoDB endpoint. Default: DYNADEX_DYNAMODB_URL, otherwise AWS."
    ),
]
SearchEngine = Annotated[
    Engine, typer.Option(help="Search engine to start. The memory engine needs no download, but ranks differently.")
]
DeadLetters = Annotated[
    str | None,
    typer.Option(
        "--dead-letters", metavar="LOCATION", help="Location of dead letters: file:PATH or the URL of an SQS queue."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not prompt for confirmation.")]


def confirm(operation: str, subject: str, question: str) -> None:
    """Prompt for confirmation. Raises DynadexError without a terminal, typer.Abort if the user declines."""
    if not sys.stdin.isatty():
        raise DynadexError(operation, subject, "standard input is not a terminal", "To confirm, pass --yes.")
    typer.confirm(question, abort=True, err=True)
