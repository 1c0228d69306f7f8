"""`dynadex verify`: is every document what its item becomes?"""

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
from dynadex.verify.result import counted

if TYPE_CHECKING:
    from dynadex.verify.verify import Difference, Kind, Verified, VerifyProgress

DIFFERENT = STOPPED = 1
_EXAMPLES = 20


def verify(
    sync: SyncReference,
    index: Annotated[
        str | None, typer.Option(metavar="NAME", help="An index or alias. Default: the index that searches use.")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(metavar="P", help="Compare only about P percent. Default: everything.")
    ] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what differs.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object per difference as it is found, then the summary.")
    ] = False,
    settle: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long a difference must last to be one.")
    ] = 5.0,
    across_regions: Annotated[
        str | None,
        typer.Option(metavar="REGION=URL,...", help="Two or more regions, each with its search cluster."),
    ] = None,
    opensearch: OpenSearchUrl = None,
    dynamodb: DynamoDbUrl = None,
    dead_letters: DeadLetters = None,
) -> None:
    """Compare every item with its document and every document with its item, while writes go on.

    What is only on its way is not reported. Exit code 1 when something differs, and is not repaired. Examples:

        dynadex verify lessons:sync

        dynadex verify lessons:sync --repair

        dynadex verify lessons:sync --sample 5 --json

        dynadex verify lessons:sync --across-regions us-east-1=https://one.example.org,eu-west-1=https://two.example.org

    With --across-regions, each region's index is compared with the region's own replica of the table, and the first
    region's replica with each other one: so an index that is wrong is told from a replica that is late.
    """
    from dynadex.clock import StoppableClock, Stopping
    from dynadex.index.aliases import searched_index
    from dynadex.runtime import connect
    from dynadex.verify.verify import Bounds, VerifyOptions, VerifyReport, remember, resolved
    from dynadex.verify.verify import verify as run_verify

    settings = RuntimeSettings.from_environment(
        opensearch_url=opensearch, dynamodb_url=dynamodb, dead_letters=dead_letters
    )
    options = VerifyOptions(sample, repair, Bounds(settle_seconds=settle))
    if across_regions is not None:
        if index or sample or opensearch:
            raise DynadexError(
                "verify across regions", across_regions, "that goes with neither --index, --sample nor --opensearch",
                "Leave them out.",
            )  # fmt: skip
        if not verify_regions(sync, across_regions, settings, options, as_json=as_json):
            raise typer.Exit(DIFFERENT)
        return
    examples = Examples()
    last: VerifyProgress | None = None
    with stop_on_signals() as stop, progress_bar() as bar:

        def on_progress(now: VerifyProgress) -> None:
            nonlocal last
            last = now
            bar.update(now.items, now.total, _detail(now))

        on_difference = _print_json if as_json else examples.add
        try:
            runtime = connect(load_sync(sync), settings, StoppableClock(stop))
            if index is None:
                name = searched_index(runtime.index, runtime.sync.index)
            else:
                name = resolved(runtime, index, repair=repair)
            verified = run_verify(runtime, name, options, VerifyReport(on_difference, on_progress))
        except Stopping:
            total = f" of about {max(last.total, last.items):,}" if last and last.total else ""
            bar.close(f"stopped before its end: {last.items if last else 0:,}{total} items compared")
            raise typer.Exit(STOPPED) from None
    if as_json:
        print(json.dumps({"summary": verified.summary()}), flush=True)
    else:
        command = f"dynadex verify {sync}{f' --index {index}' if index else ''} --repair"
        print("\n".join(told(verified, examples, command, repair=repair)))
    remember(runtime, verified)
    if not verified.equal:
        raise typer.Exit(DIFFERENT)


class Examples:
    """The first few differences of each kind."""

    def __init__(self) -> None:
        self.kept: dict[Kind, list[Difference]] = defaultdict(list)

    def add(self, difference: Difference) -> None:
        """Keep it, unless there are enough of its kind."""
        if len(self.kept[difference.kind]) < _EXAMPLES:
            self.kept[difference.kind].append(difference)

    def lines(self) -> list[str]:
        """``kind  id  fields``, and what became of it in a repair."""
        rows = [
            (str(kind), printable(one.id), ", ".join(map(printable, one.fields)), _outcome(one))
            for kind, examples in self.kept.items()
            for one in examples
        ]
        return aligned(rows)


def told(verified: Verified, examples: Examples, command: str, *, repair: bool) -> list[str]:
    """The result in lines: counts, examples, and a sentence with what to do. ``command`` repairs what differs."""
    from dynadex.verify.verify import Kind

    counts = [(str(kind), f"{verified.found[kind]:,}", f"{verified.remaining[kind]:,}") for kind in Kind]
    lines = aligned([("kind", "found", "remaining"), *counts])
    if examples.kept:
        lines += ["", *examples.lines()]
    others = {
        "items cannot be indexed": verified.unindexable,
        "items are not to be indexed": verified.not_indexed,
        "keys changed at every look, and may differ": verified.in_motion,
        "documents of the sample have ids that do not tell their keys, and are not checked": verified.unchecked,
    }
    lines += ["", *(f"{count:,} {what}" for what, count in others.items() if count)]
    return [*lines, _sentence(verified, command, repair=repair)]


def _sentence(verified: Verified, command: str, *, repair: bool) -> str:
    from dynadex.verify.verify import Kind

    counts = f"{counted(verified.items, 'item')}, {counted(verified.documents, 'document')}"
    if verified.sample:
        counts = f"a sample of {verified.sample:g} %: {counts}"
    if verified.equal:
        repaired = f" (repaired: {_differences(verified.repaired.total())})" if verified.found else ""
        return f"index {verified.index} equals its table: {counts}{repaired}."
    remaining = verified.remaining
    sentence = f"index {verified.index} differs from its table: {_differences(remaining.total())}; {counts}."
    if remaining[Kind.LAGGING]:
        sentence += " Stale ones wait in the stream: is a worker running? `dynadex run` applies them."
    if repair:
        return f"{sentence} They could not be repaired: see the reason beside each, then repeat `{command}`."
    return f"{sentence} To repair them: `{command}`."


def _differences(count: int) -> str:
    return counted(count, "difference")


def _detail(now: VerifyProgress) -> str:
    parts = {"documents": now.documents, "differences": now.differences, "looked at again": now.waiting}
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count or what == "differences")


def _print_json(difference: Difference) -> None:
    print(json.dumps(difference.as_json()), flush=True)


def _outcome(one: Difference) -> str:
    repaired = {None: "", True: "repaired", False: "not repaired"}[one.repaired]
    return f"{repaired}: {one.note}" if one.note else repaired
