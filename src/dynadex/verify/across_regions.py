"""Verify in several regions: each index against its own region's replica, and the replicas against each other.

That tells an index that is wrong from a replica that is late: dynadex answers for the first, DynamoDB for the second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.errors import DynadexError
from dynadex.index.aliases import searched_index
from dynadex.retry import Retrier
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings, without_password
from dynadex.source.table_scan import Page
from dynadex.sync import Sync
from dynadex.verify.replicas import Compared, ReplicaComparison, ReplicaDifference
from dynadex.verify.verify import Difference, Verified, VerifyOptions, VerifyProgress, VerifyReport, verify

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegionReport:
    """What a verify of several regions calls: with each index's differences by region, those of the replicas, and its
    progress (what is compared, items so far, and about how many there are)."""

    on_difference: Callable[[str, Difference], None]
    on_replicas: Callable[[ReplicaDifference], None]
    on_progress: Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class AcrossRegions:
    """Each region's index by its name, and the first region's replica compared with each other one."""

    indexes: Mapping[str, Verified]
    replicas: Sequence[Compared]

    @property
    def equal(self) -> bool:
        """Whether nothing remains that differs."""
        return all(one.equal for one in self.indexes.values()) and not any(one.different for one in self.replicas)


@dataclass(frozen=True, slots=True)
class RegionReplica:
    """A region's replica of the table, waiting for a region that is unavailable for a moment."""

    region: str
    runtime: Runtime
    retry: Retrier

    def pages(self) -> Iterator[Page]:
        """Every item there is."""
        scan, start, more = self.runtime.scan(), None, True
        while more:
            page = self.retry(lambda: scan.page(start, self.runtime.settings.refill_page_size))  # noqa: B023 - called now
            yield page
            start = page.last_evaluated_key
            more = start is not None

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items with these keys as they are now."""
        return self.retry(lambda: self.runtime.table.read_items(keys))


def parse_regions(text: str) -> dict[str, str]:
    """Regions with the URL of each one's search cluster, from ``us-east-1=URL,eu-west-1=URL``. Raises DynadexError."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    found = {region: url for region, equals, url in pairs if region and equals and url}
    if len(found) < 2 or len(found) < len(pairs):
        raise DynadexError(
            "verify across regions", without_password(text),
            "those are not two or more regions, each with its search cluster",
            "For example: --across-regions us-east-1=https://one.example.org,eu-west-1=https://two.example.org.",
        )  # fmt: skip
    return found


def verify_across_regions(
    sync: Sync,
    settings: RuntimeSettings,
    clusters: Mapping[str, str],
    options: VerifyOptions,
    report: RegionReport,
    clock: Clock,
) -> AcrossRegions:
    """Verify every region in ``clusters`` (URL of the search cluster by region), then the replicas, first with others.

    Raises as ``verify`` does.
    """
    runtimes = {
        region: connect(sync, replace(settings, region=region, opensearch_url=url).checked(), clock)
        for region, url in clusters.items()
    }
    retry = Retrier(clock, _log)
    indexes = {region: _verified(region, runtime, options, report) for region, runtime in runtimes.items()}
    first, *others = [RegionReplica(region, runtime, retry) for region, runtime in runtimes.items()]
    return AcrossRegions(indexes, [_compared(first, other, options, report, clock) for other in others])


def _verified(region: str, runtime: Runtime, options: VerifyOptions, report: RegionReport) -> Verified:
    def on_progress(now: VerifyProgress) -> None:
        report.on_progress(f"index of {region}", now.items, now.total)

    told = VerifyReport(lambda one: report.on_difference(region, one), on_progress)
    return verify(runtime, searched_index(runtime.index, runtime.sync.index), options, told)


def _compared(
    first: RegionReplica, other: RegionReplica, options: VerifyOptions, report: RegionReport, clock: Clock
) -> Compared:
    total = first.runtime.description.item_count or None

    def on_progress(items: int) -> None:
        report.on_progress(f"replicas {first.region} and {other.region}", items, total)

    settle = options.bounds.settle_seconds
    schema = first.runtime.description.schema
    return ReplicaComparison(first, other, schema, clock, settle, report.on_replicas, on_progress).run()
