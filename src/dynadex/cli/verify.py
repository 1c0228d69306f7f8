"""`dynadex verify`: compare every item with its document, and report or repair the differences."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Annotated

import typer

from dynadex.cli.options import DeadLetters, DynamoDbUrl, OpenSearchUrl, SyncReference
from dynadex.cli.output import aligned, printable
from dynadex.cli.progress import progress_bar
from dynadex.cli.stopping import stop_on_signals
from dynadex.cli.verify_regions import verify_regions
from dynadex.errors import DynadexError
from dynadex.settings import RuntimeSettings
from dynadex.sync import load_sync
from dynadex.text import counted
from dynadex.verify.result import Kind

if TYPE_CHECKING:
    from dynadex.verify.result import Difference, VerifyResult
    from dynadex.verify.verify import VerifyProgress

DIFFERENT = STOPPED = 1
_EXAMPLES = 20


def verify(
    sync: SyncReference,
    index: Annotated[
        str | None, typer.Option(metavar="NAME", help="Index or alias to verify. Default: the index that searches use.")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(metavar="P", help="Compare about P percent. Default: everything.")
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Repair the differences.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per difference when it is found, then the summary.")
    ] = False,
    settle: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Seconds for which a difference must last to be reported.")
    ] = 5.0,
    across_regions: Annotated[
        str | None,
        typer.Option(metavar="REGION=URL,...", help="Two or more regions, each with the URL of its search cluster."),
    ] = None,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Compare the index with its table.

    Compares every item with its document, and every document with its item. Writes may continue during the comparison:
    a change that is not applied yet is not reported as a difference. Changes nothing, unless --repair is given. Safe to
    repeat and to interrupt. Exit code 1 if a difference remains. Examples:

        dynadex verify lessons:sync

        dynadex verify lessons:sync --repair

        dynadex verify lessons:sync --sample 5 --json

        dynadex verify lessons:sync --across-regions us-east-1=https://one.example.org,eu-west-1=https://two.example.org

    With --across-regions, the index of each region is compared with the region's own replica of the table, and the
    replica of the first region with each other replica. This distinguishes an index that is wrong from a replica that
    lags.
    """
    from dynadex.clock import StoppableClock, Stopping
    from dynadex.index.aliases import searched_index
    from dynadex.runtime import connect
    from dynadex.verify.recheck import Bounds
    from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, resolve_index, save_result
    from dynadex.verify.verify import verify as run_verify

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )
    options = VerifyOptions(sample, repair, Bounds(settle_seconds=settle))
    if across_regions is not None:
        if index or sample or opensearch:
            raise DynadexError(
                "verify across regions", across_regions,
                "--across-regions cannot be combined with --index, --sample or --opensearch",
                "Omit these options.",
            )  # fmt: skip
        if not verify_regions(sync, across_regions, settings, options, as_json=as_json):
            raise typer.Exit(DIFFERENT)
        return
    examples = Examples()
    last: VerifyProgress | None = None
    with stop_on_signals() as stop, progress_bar() as bar:

        def on_progress(progress: VerifyProgress) -> None:
            nonlocal last
            last = progress
            bar.update(progress.items, progress.total, _detail(progress))

        on_difference = _print_json if as_json else examples.add
        try:
            runtime = connect(load_sync(sync), settings, StoppableClock(stop))
            if index is None:
                name = searched_index(runtime.index, runtime.sync.index)
            else:
                name = resolve_index(runtime, index, repair=repair)
            result = run_verify(runtime, name, options, VerifyCallbacks(on_difference, on_progress))
        except Stopping:
            total = f" of about {max(last.total, last.items):,}" if last and last.total else ""
            bar.close(f"stopped before its end: {last.items if last else 0:,}{total} items compared")
            raise typer.Exit(STOPPED) from None
    if as_json:
        print(json.dumps({"summary": result.summary()}), flush=True)
    else:
        command = f"dynadex verify {sync}{f' --index {index}' if index else ''} --repair"
        print("\n".join(result_lines(result, examples, command, repair=repair)))
    save_result(runtime, result)
    if not result.equal:
        raise typer.Exit(DIFFERENT)


class Examples:
    """The first differences of each kind."""

    def __init__(self) -> None:
        self.by_kind: dict[Kind, list[Difference]] = defaultdict(list)

    def add(self, difference: Difference) -> None:
        """Add a difference, unless there are enough of its kind."""
        if len(self.by_kind[difference.kind]) < _EXAMPLES:
            self.by_kind[difference.kind].append(difference)

    def lines(self) -> list[str]:
        """Return aligned lines with kind, id, fields, and the outcome of a repair."""
        rows = [
            (str(kind), printable(example.id), ", ".join(map(printable, example.fields)), _outcome(example))
            for kind, examples in self.by_kind.items()
            for example in examples
        ]
        return aligned(rows)


def result_lines(result: VerifyResult, examples: Examples, command: str, *, repair: bool) -> list[str]:
    """Return the counts, the examples, and a sentence with what to do. ``command`` repairs the differences."""
    counts = [(str(kind), f"{result.differences[kind]:,}", f"{result.remaining[kind]:,}") for kind in Kind]
    lines = aligned([("kind", "found", "remaining"), *counts])
    if examples.by_kind:
        lines += ["", *examples.lines()]
    notes = {
        "items cannot be indexed": result.unindexable,
        "items are excluded by the document function": result.not_indexed,
        "keys kept changing, and may differ": result.in_motion,
        "documents of the sample have shortened ids, and are not checked": result.unchecked,
    }
    lines += ["", *(f"{count:,} {note}" for note, count in notes.items() if count)]
    return [*lines, _sentence(result, command, repair=repair)]


def _sentence(result: VerifyResult, command: str, *, repair: bool) -> str:
    counts = f"{counted(result.items, 'item')}, {counted(result.documents, 'document')}"
    if result.sample:
        counts = f"a sample of {result.sample:g} %: {counts}"
    if result.equal:
        repaired = f" (repaired: {_differences(result.repaired.total())})" if result.differences else ""
        return f"index {result.index} equals its table: {counts}{repaired}."
    remaining = result.remaining
    sentence = f"index {result.index} differs from its table: {_differences(remaining.total())}; {counts}."
    if remaining[Kind.LAGGING]:
        sentence += " Lagging documents wait for changes in the stream, which a worker applies: `dynadex run`."
    if repair:
        return f"{sentence} They could not be repaired: fix the reason listed with each, then run `{command}` again."
    return f"{sentence} To repair them: `{command}`."


def _differences(count: int) -> str:
    return counted(count, "difference")


def _detail(progress: VerifyProgress) -> str:
    counts = {"documents": progress.documents, "differences": progress.differences, "to recheck": progress.waiting}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count or name == "differences")


def _print_json(difference: Difference) -> None:
    print(json.dumps(difference.as_json()), flush=True)


def _outcome(difference: Difference) -> str:
    repaired = {None: "", True: "repaired", False: "not repaired"}[difference.repaired]
    return f"{repaired}: {difference.note}" if difference.note else repaired
