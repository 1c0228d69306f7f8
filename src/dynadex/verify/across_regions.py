"""Verify several regions: each index against the replica of its region, and the replicas against each other.

This distinguishes an index that is wrong, which dynadex repairs, from a replica that lags, which DynamoDB updates.
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
from dynadex.verify.replicas import ReplicaComparison, ReplicaDifference, ReplicaResult
from dynadex.verify.result import Difference, VerifyResult
from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, VerifyProgress, verify

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RegionCallbacks:
    """Callbacks of a verify of several regions.

    They are called with the region and each difference of its index, with each difference between two replicas, and
    with the progress: what is compared, the items so far, and their approximate total (None if unknown).
    """

    on_difference: Callable[[str, Difference], None]
    on_replica_difference: Callable[[ReplicaDifference], None]
    on_progress: Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class RegionsResult:
    """Results of the indexes by region, and of the first region's replica compared with each other replica."""

    indexes: Mapping[str, VerifyResult]
    replicas: Sequence[ReplicaResult]

    @property
    def equal(self) -> bool:
        """Whether no difference remains."""
        indexes_equal = all(result.equal for result in self.indexes.values())
        return indexes_equal and not any(result.different for result in self.replicas)


@dataclass(frozen=True, slots=True)
class RegionReplica:
    """A region's replica of the table. It waits while the region is unavailable."""

    region: str
    runtime: Runtime
    retry: Retrier

    def pages(self) -> Iterator[Page]:
        """Yield every item, a page at a time."""
        scan, start, more = self.runtime.scan(), None, True
        while more:
            page = self.retry(lambda: scan.page(start, self.runtime.settings.refill_page_size))  # noqa: B023 - called immediately
            yield page
            start = page.last_evaluated_key
            more = start is not None

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """Return the current items with these keys."""
        return self.retry(lambda: self.runtime.table.read_items(keys))


def parse_regions(text: str) -> dict[str, str]:
    """Parse ``us-east-1=URL,eu-west-1=URL``; return the URL of the search cluster by region. Raises DynadexError."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    clusters = {region: url for region, equals, url in pairs if region and equals and url}
    if len(clusters) < 2 or len(clusters) < len(pairs):
        raise DynadexError(
            "verify across regions", without_password(text),
            "it does not name two or more regions, each with the URL of its search cluster",
            "For example: --across-regions us-east-1=https://one.example.org,eu-west-1=https://two.example.org.",
        )  # fmt: skip
    return clusters


def verify_across_regions(
    sync: Sync,
    settings: RuntimeSettings,
    clusters: Mapping[str, str],
    options: VerifyOptions,
    callbacks: RegionCallbacks,
    clock: Clock,
) -> RegionsResult:
    """Verify every region in ``clusters`` (URL of the search cluster by region), then compare the replicas.

    Raises the same errors as ``verify``.
    """
    runtimes = {
        region: connect(sync, replace(settings, region=region, opensearch_url=url).checked(), clock)
        for region, url in clusters.items()
    }
    retry = Retrier(clock, _log)
    indexes = {region: _verify_index(region, runtime, options, callbacks) for region, runtime in runtimes.items()}
    first, *others = [RegionReplica(region, runtime, retry) for region, runtime in runtimes.items()]
    return RegionsResult(indexes, [_compare_replicas(first, other, options, callbacks) for other in others])


def _verify_index(region: str, runtime: Runtime, options: VerifyOptions, callbacks: RegionCallbacks) -> VerifyResult:
    def on_progress(progress: VerifyProgress) -> None:
        callbacks.on_progress(f"index of {region}", progress.items, progress.total)

    of_index = VerifyCallbacks(lambda difference: callbacks.on_difference(region, difference), on_progress)
    return verify(runtime, searched_index(runtime.index, runtime.sync.index), options, of_index)


def _compare_replicas(
    first: RegionReplica, other: RegionReplica, options: VerifyOptions, callbacks: RegionCallbacks
) -> ReplicaResult:
    description, clock = first.runtime.description, first.runtime.clock
    comparison = ReplicaComparison(first, other, description.schema, clock, options.bounds.settle_seconds)
    subject, total = f"replicas {first.region} and {other.region}", description.item_count or None
    for differences in comparison.differences():
        for difference in differences:
            callbacks.on_replica_difference(difference)
        callbacks.on_progress(subject, comparison.result.items, total)
    return comparison.result
