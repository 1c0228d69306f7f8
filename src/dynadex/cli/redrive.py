"""`dynadex redrive` and `dynadex resync`: settle keys by hand."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, JsonLines, OpenSearchUrl, SyncReference
from dynadex.cli.output import printable, say
from dynadex.cli.stopping import stop_on_signals
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

STILL_FAILING = STOPPED = 1


def redrive(
    sync: SyncReference,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is dead-lettered, and why.")] = False,
    as_json: JsonLines = False,
) -> None:
    """Try dead-lettered keys again: read each item as it is now, and make its document right.

    A dead letter is removed only after its key is settled. What still fails stays dead-lettered and is listed with its
    reason; then the exit code is 1. Example:

        dynadex redrive lessons:sync --dry-run
    """
    from dynadex.maintenance.redrive import Redriven
    from dynadex.maintenance.redrive import redrive as run_redrive
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )

    def progress(so_far: Redriven) -> None:
        say(f"{so_far.settled:,} settled, {len(so_far.failing):,} {'dead-lettered' if dry_run else 'still failing'}")

    with stop_on_signals() as stop:
        result = run_redrive(connect(load_sync(sync), settings), stop, progress, dry_run=dry_run)
        stopped = stop.is_set()
    for letter, reason in result.failing:
        identity = letter.id or letter.sequence_number
        row = {
            "id": letter.id or None,
            "key": letter.key,
            "reason": reason,
            "dead_lettered_at": letter.dead_lettered_at,
        }
        print(json.dumps(row) if as_json else f"{printable(identity or '')}\t{printable(reason)}")
    if stopped:
        say("stopped before its end: what was not looked at stays dead-lettered")
        raise typer.Exit(STOPPED)
    if not result.failing and not result.settled:
        say(f"nothing is dead-lettered in {settings.dead_letters_location}")
    if result.failing and not dry_run:
        raise typer.Exit(STILL_FAILING)


def resync(
    sync: SyncReference,
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="""Document ids, or keys as typed JSON: '{"id": {"S": "rakes"}}'."""),
    ],
    as_json: JsonLines = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
) -> None:
    """Make the documents of the given keys equal to their items now, whatever happened before.

    Prints each key with what became of it, and whether there is no such item, in which case no document is left of it;
    exit code 1 when one cannot be indexed. Example:

        dynadex resync lessons:sync oneills1850-0001-0050-1
    """
    from dynadex.index.bulk import Outcome
    from dynadex.maintenance.redrive import resync as run_resync
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)
    outcome = run_resync(connect(load_sync(sync), settings), keys)
    for identity, one in outcome.items():
        equal = one.reply.outcome is Outcome.APPLIED
        row = {"id": identity, "equal": equal, "item": one.has_item, "reason": None if equal else one.reply.reason}
        what = one.reply.reason if not equal else "equal" if one.has_item else "equal: no such item, and no document"
        print(json.dumps(row) if as_json else f"{printable(identity)}\t{printable(what)}")
    if any(one.reply.outcome is not Outcome.APPLIED for one in outcome.values()):
        raise typer.Exit(STILL_FAILING)
