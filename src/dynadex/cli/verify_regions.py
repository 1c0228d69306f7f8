"""`dynadex verify --across-regions`: verify the index of each region, and compare the replicas of the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from dynadex.cli.output import printable
from dynadex.cli.progress import progress_bar
from dynadex.cli.stopping import stop_on_signals
from dynadex.settings import RuntimeSettings, without_password
from dynadex.sync import load_sync
from dynadex.text import counted

if TYPE_CHECKING:
    from dynadex.verify.across_regions import RegionsResult
    from dynadex.verify.replicas import ReplicaDifference, ReplicaResult
    from dynadex.verify.result import Difference
    from dynadex.verify.verify import VerifyOptions

_EXAMPLES = 20
_FAILED = 1


def verify_regions(
    sync: str, clusters: str, settings: RuntimeSettings, options: VerifyOptions, *, as_json: bool
) -> bool:
    """Verify and print; return whether everything is equal. Raises typer.Exit if stopped before the end."""
    from dynadex.clock import StoppableClock, Stopping
    from dynadex.verify.across_regions import RegionCallbacks, parse_regions, verify_across_regions

    examples: list[str] = []

    def on_difference(region: str, difference: Difference) -> None:
        if as_json:
            print(json.dumps({"region": region, **difference.as_json()}), flush=True)
        elif len(examples) < _EXAMPLES:
            fields = ", ".join(map(printable, difference.fields))
            examples.append(f"{region}: {difference.kind}  {printable(difference.id)}  {fields}".rstrip())

    def on_replica_difference(difference: ReplicaDifference) -> None:
        if as_json:
            print(json.dumps(difference.as_json()), flush=True)
        elif len(examples) < _EXAMPLES:
            fields = ", ".join(map(printable, difference.fields))
            detail = f"only in {difference.only_in}" if difference.only_in else fields
            examples.append(f"{' and '.join(difference.regions)}: replicas  {printable(difference.id)}  {detail}")

    regions = parse_regions(clusters)
    with stop_on_signals() as stop, progress_bar() as bar:
        callbacks = RegionCallbacks(
            on_difference, on_replica_difference, lambda subject, done, total: bar.update(done, total, subject)
        )
        try:
            result = verify_across_regions(load_sync(sync), settings, regions, options, callbacks, StoppableClock(stop))
        except Stopping:
            bar.close("stopped before its end")
            raise typer.Exit(_FAILED) from None
    if as_json:
        print(json.dumps({"summary": summary(result)}), flush=True)
    else:
        print("\n".join([*examples, *result_lines(result, sync, regions)]))
    return result.equal


def summary(result: RegionsResult) -> dict[str, object]:
    """Return the result as plain JSON."""
    return {
        "indexes": {region: of_index.summary() for region, of_index in result.indexes.items()},
        "replicas": [of_replicas.summary() for of_replicas in result.replicas],
    }


def result_lines(result: RegionsResult, sync: str, clusters: dict[str, str]) -> Iterator[str]:
    """Yield a sentence for each index and each pair of replicas, with what to do."""
    for region, of_index in result.indexes.items():
        counts = f"{counted(of_index.items, 'item')}, {counted(of_index.documents, 'document')}"
        if of_index.equal:
            repaired = f", {of_index.repaired.total():,} repaired" if of_index.repaired else ""
            yield f"{region}: index {of_index.index} equals its table: {counts}{repaired}."
        else:
            cluster = without_password(clusters[region])
            differences = counted(of_index.remaining.total(), "difference")
            yield (
                f"{region}: index {of_index.index} differs from its table: {differences}; {counts}. To repair them: "
                f"`AWS_REGION={region} dynadex verify {sync} "
                f"--opensearch {cluster} --repair`."
            )
    yield from map(_replicas, result.replicas)


def _replicas(result: ReplicaResult) -> str:
    regions = " and ".join(result.regions)
    lag = f"; {counted(result.late, 'item')} lagged, by at most {result.max_seconds:.1f} s" if result.late else ""
    changing = f"; {counted(result.in_motion, 'item')} kept changing" if result.in_motion else ""
    if not result.different:
        return f"{regions}: the replicas are equal: {counted(result.items, 'item')}{lag}{changing}."
    return (
        f"{regions}: the replicas differ in {result.different:,} of {counted(result.items, 'item')}{lag}{changing}. "
        "Each index follows its own replica. Check ReplicationLatency of the table in CloudWatch, or wait longer with "
        "--settle."
    )
