"""`dynadex check`: would the table's items be taken? Told before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex import clients
from dynadex.cli.options import AsJson, DynamoDbUrl, OpenSearchUrl, Sample, SyncReference
from dynadex.cli.output import say
from dynadex.cli.stopping import stop_on_signals
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync

if TYPE_CHECKING:
    from dynadex.scaffold.check import CheckFinding, CheckResult

MISFIT = STOPPED = 1


def check(
    sync: SyncReference,
    sample: Sample = 1000,
    on_cluster: Annotated[
        bool, typer.Option("--on-cluster", help="Try the documents in an index of their own, and delete it again.")
    ] = False,
    as_json: AsJson = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
) -> None:
    """Try mapping and document function on a sample of the table, and say what would not fit. Writes nothing.

    Reported are items that would be dead-lettered, with the reason; attributes with values of several kinds; mappings
    that
    would grow without end or name an unknown type; fields that are mapped but never seen, or seen but not mapped. Exit
    code 1 when something should be mended first. What the mapping takes is told without asking the cluster;
    --on-cluster asks it. Examples:

        dynadex check lessons:sync

        dynadex check lessons:sync --sample 10000 --on-cluster --json
    """
    from dynadex.scaffold.check import apply_trial
    from dynadex.scaffold.check import check as run_check
    from dynadex.scaffold.sample import take
    from dynadex.scaffold.trial_index import index_on_trial

    declared = load_sync(sync)
    settings = RuntimeSettings.from_environment(opensearch_url=opensearch, dynamodb_url=dynamodb)
    with stop_on_signals() as stop:
        found = run_check(declared, take(clients.dynamodb(settings), declared.table, sample, stop.is_set))
        if on_cluster and not stop.is_set():
            # Within: a signal must not end it before the index is deleted again.
            apply_trial(found, index_on_trial(declared, settings, found.bodies))
        if stop.is_set():
            say("stopped before its end: of a part of the sample nothing is told")
            raise typer.Exit(STOPPED)
    print(json.dumps(found.as_json()) if as_json else "\n".join(_lines(found, sync)))
    if not found.fits:
        raise typer.Exit(MISFIT)


def _lines(found: CheckResult, reference: str) -> Iterator[str]:
    counts = {
        "would be taken": found.documents,
        "left out": found.left_out,
        "would be dead-lettered": found.dead_lettered,
    }
    yield f"{found.items:,} items: {', '.join(f'{count:,} {what}' for what, count in counts.items())}"
    for one in found.findings:
        yield f"{'!' if one.serious else ' '} {_line(one)}"
    if not found.items:
        yield "  the table is empty: nothing can be told"
    yield (
        f"Nothing has to be mended: `dynadex run {reference}` follows the table, `dynadex refill` brings what is there."
        if found.fits
        else "Mend what is marked with ! first: nothing was written."
    )


def _line(one: CheckFinding) -> str:
    concerned = f" ({one.items:,} item{'' if one.items == 1 else 's'}, such as {one.example})" if one.items else ""
    where = f" {one.field}" if one.field else ""
    return f"{one.kind}{where}: {one.message}{concerned}"
