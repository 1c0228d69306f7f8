"""`dynadex verify --across-regions`: each region's index and its replica, told apart."""

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
from dynadex.verify.result import counted

if TYPE_CHECKING:
    from dynadex.verify.across_regions import AcrossRegions
    from dynadex.verify.replicas import Compared, ReplicaDifference
    from dynadex.verify.verify import Difference, VerifyOptions

_EXAMPLES = 20
_FAILED = 1


def verify_regions(
    sync: str, clusters: str, settings: RuntimeSettings, options: VerifyOptions, *, as_json: bool
) -> bool:
    """Verify and print; whether everything is equal. Raises typer.Exit when stopped before the end."""
    from dynadex.clock import StoppableClock, Stopping
    from dynadex.verify.across_regions import RegionReport, parse_regions, verify_across_regions

    examples: list[str] = []

    def on_difference(region: str, one: Difference) -> None:
        if as_json:
            print(json.dumps({"region": region, **one.as_json()}), flush=True)
        elif len(examples) < _EXAMPLES:
            named = ", ".join(map(printable, one.fields))
            examples.append(f"{region}: {one.kind}  {printable(one.id)}  {named}".rstrip())

    def on_replicas(one: ReplicaDifference) -> None:
        if as_json:
            print(json.dumps(one.as_json()), flush=True)
        elif len(examples) < _EXAMPLES:
            what = f"only in {one.only_in}" if one.only_in else ", ".join(map(printable, one.fields))
            examples.append(f"{' and '.join(one.regions)}: replicas  {printable(one.id)}  {what}")

    regions = parse_regions(clusters)
    with stop_on_signals() as stop, progress_bar() as bar:
        report = RegionReport(on_difference, on_replicas, lambda what, done, total: bar.update(done, total, what))
        try:
            found = verify_across_regions(load_sync(sync), settings, regions, options, report, StoppableClock(stop))
        except Stopping:
            bar.close("stopped before its end")
            raise typer.Exit(_FAILED) from None
    if as_json:
        print(json.dumps({"summary": summary(found)}), flush=True)
    else:
        print("\n".join([*examples, *told(found, sync, regions)]))
    return found.equal


def summary(found: AcrossRegions) -> dict[str, object]:
    """As plain JSON."""
    return {
        "indexes": {region: one.summary() for region, one in found.indexes.items()},
        "replicas": [one.summary() for one in found.replicas],
    }


def told(found: AcrossRegions, sync: str, clusters: dict[str, str]) -> Iterator[str]:
    """A sentence for each index and each pair of replicas, with what to do."""
    for region, one in found.indexes.items():
        counts = f"{counted(one.items, 'item')}, {counted(one.documents, 'document')}"
        if one.equal:
            repaired = f", {one.repaired.total():,} repaired" if one.repaired else ""
            yield f"{region}: index {one.index} equals its table: {counts}{repaired}."
        else:
            cluster = without_password(clusters[region])
            yield (
                f"{region}: index {one.index} differs from its table in {one.remaining.total():,}; {counts}. To repair "
                f"it: `AWS_REGION={region} dynadex verify {sync} --opensearch {cluster} --repair`."
            )
    yield from map(_replicas, found.replicas)


def _replicas(one: Compared) -> str:
    both = " and ".join(one.regions)
    late = f"; {one.late:,} were late, by {one.max_seconds:.1f} s at most" if one.late else ""
    moving = f"; {one.in_motion:,} changed at every look" if one.in_motion else ""
    if not one.different:
        return f"{both}: the replicas are equal: {one.items:,} items{late}{moving}."
    return (
        f"{both}: the replicas differ in {one.different:,} of {one.items:,} items{late}{moving}. Each index follows "
        "its own replica; look at the table's replication: ReplicationLatency in CloudWatch, and `--settle` for longer."
    )
