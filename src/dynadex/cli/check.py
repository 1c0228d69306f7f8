"""`dynadex check`: test a declaration against a sample of the table before anything is written."""

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
from dynadex.text import counted

if TYPE_CHECKING:
    from dynadex.scaffold.check import CheckFinding, CheckResult

MISFIT = STOPPED = 1


def check(
    sync: SyncReference,
    sample: Sample = 1000,
    on_cluster: Annotated[
        bool, typer.Option("--on-cluster", help="Also write the documents to a temporary index, then delete it.")
    ] = False,
    as_json: AsJson = False,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
) -> None:
    """Test a declaration on a sample of the table.

    Reports items that would be dead-lettered, with the reason; attributes with values of several types; mappings that
    would grow without limit or use an unknown type; fields that are mapped but do not occur, or occur but are not
    mapped. Exit code 1 if there are errors to fix.

    Changes neither the table nor the index. The mapping is evaluated locally; with --on-cluster, the documents are also
    written to a temporary index, which is deleted even if the command is interrupted. Examples:

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
        result = run_check(declared, take(clients.dynamodb(settings), declared.table, sample, stop.is_set))
        if on_cluster and not stop.is_set():
            # Inside the block, so that a signal does not end the command before the temporary index is deleted.
            apply_trial(result, index_on_trial(declared, settings, result.bodies))
        if stop.is_set():
            say("stopped before its end: a part of the sample gives no result")
            raise typer.Exit(STOPPED)
    print(json.dumps(result.as_json()) if as_json else "\n".join(_lines(result, sync)))
    if not result.fits:
        raise typer.Exit(MISFIT)


def _lines(result: CheckResult, reference: str) -> Iterator[str]:
    counts = {
        "would be indexed": result.documents,
        "excluded": result.left_out,
        "would be dead-lettered": result.dead_lettered,
    }
    yield f"{result.items:,} items: {', '.join(f'{count:,} {outcome}' for outcome, count in counts.items())}"
    for finding in result.findings:
        yield f"{'!' if finding.serious else ' '} {_line(finding)}"
    if not result.items:
        yield "  the table is empty: there are no items to test"
    yield (
        f"No errors: `dynadex run {reference}` follows the table, `dynadex refill {reference}` indexes existing items."
        if result.fits
        else "Fix what is marked with ! first. Nothing was written."
    )


def _line(finding: CheckFinding) -> str:
    field = f" {finding.field}" if finding.field else ""
    items = f" ({counted(finding.items, 'item')}, such as {finding.example})" if finding.items else ""
    return f"{finding.kind.replace('_', '-')}{field}: {finding.message}{items}"
