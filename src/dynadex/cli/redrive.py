"""`dynadex redrive` and `dynadex resync`: retry dead letters, and reconcile single keys."""

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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the dead letters with their reasons, without retrying them.")
    ] = False,
    as_json: JsonLines = False,
) -> None:
    """Retry dead letters.

    Reads the current item of each dead-lettered key, and updates its document. A dead letter is removed only after its
    key is settled. A key that fails again stays dead-lettered and is listed with its reason; the exit code is then 1.
    Safe to repeat and to interrupt. Example:

        dynadex redrive lessons:sync --dry-run
    """
    from dynadex.maintenance.redrive import Redriven
    from dynadex.maintenance.redrive import redrive as run_redrive
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )

    def on_progress(result: Redriven) -> None:
        say(f"{result.settled:,} settled, {len(result.failing):,} {'dead-lettered' if dry_run else 'still failing'}")

    with stop_on_signals() as stop:
        result = run_redrive(connect(load_sync(sync), settings), stop, on_progress, dry_run=dry_run)
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
        say("stopped before its end: keys that were not retried stay dead-lettered")
        raise typer.Exit(STOPPED)
    if not result.failing and not result.settled:
        say(f"no dead letters in {settings.dead_letters_location}")
    if result.failing and not dry_run:
        raise typer.Exit(STILL_FAILING)


def resync(
    sync: SyncReference,
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="""Document ids, or keys as DynamoDB JSON: '{"id": {"S": "rakes"}}'."""),
    ],
    as_json: JsonLines = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
) -> None:
    """Reconcile single keys.

    Makes the documents of the keys equal to their current items. If an item does not exist, its document is deleted.
    Prints each key with the outcome; the exit code is 1 if an item cannot be indexed. Safe to repeat. Example:

        dynadex resync lessons:sync oneills1850-0001-0050-1
    """
    from dynadex.index.bulk import Outcome
    from dynadex.maintenance.redrive import resync as run_resync
    from dynadex.runtime import connect

    settings = RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)
    outcomes = run_resync(connect(load_sync(sync), settings), keys)
    for identity, resynced in outcomes.items():
        is_equal, reason = resynced.reply.outcome is Outcome.APPLIED, resynced.reply.reason
        row = {"id": identity, "equal": is_equal, "item": resynced.has_item, "reason": None if is_equal else reason}
        equal = "equal" if resynced.has_item else "equal: neither item nor document exists"
        print(json.dumps(row) if as_json else f"{printable(identity)}\t{printable(equal if is_equal else reason)}")
    if any(resynced.reply.outcome is not Outcome.APPLIED for resynced in outcomes.values()):
        raise typer.Exit(STILL_FAILING)
