"""Options that several commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

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

DeadLetters = Annotated[
    str | None,
    typer.Option(
        "--dead-letters", metavar="WHERE", help="Where keys are dead-lettered: file:PATH or the URL of an SQS queue."
    ),
]
