"""Results of indexing: outcomes of changes and items, and statistics of bulk requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class ApplyResult:
    """Outcome of applying changes or loading items, counted once for each key and index."""

    applied: int = 0
    """Documents written or deleted."""
    superseded: int = 0
    """Writes rejected because the index holds a newer version."""
    reconciled: int = 0
    """Keys whose item was read again, because versions could not order two changes."""
    dead_lettered: int = 0
    """Dead letters written."""
    not_indexed: int = 0
    """Items for which the document function returns None: they exist, and are not indexed."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason for each sequence number (of changes) or document id (of items) that is neither applied nor
    dead-lettered and must be retried."""
    newest_change_us: int = 0
    """Time of the newest applied change, in microseconds since the epoch; lag is measured against it."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Outcome of each document id (of changes) that was not simply applied: ``superseded``, ``reconciled`` or
    ``dead_lettered``."""

    def add(self, other: ApplyResult) -> None:
        """Add the counts of another result. Reasons and outcomes of single keys are left out."""
        self.applied += other.applied
        self.superseded += other.superseded
        self.reconciled += other.reconciled
        self.dead_lettered += other.dead_lettered
        self.not_indexed += other.not_indexed
        self.newest_change_us = max(self.newest_change_us, other.newest_change_us)

    def __str__(self) -> str:
        counts = {
            "superseded": self.superseded,
            "reconciled": self.reconciled,
            "dead-lettered": self.dead_lettered,
            "not indexed": self.not_indexed,
        }
        return ", ".join([f"{self.applied:,} applied", *(f"{n:,} {name}" for name, n in counts.items() if n)])


@dataclass(frozen=True, slots=True)
class Rejection:
    """A key without a document in ``index``, and why: its document cannot be built, or OpenSearch rejects it."""

    index: str
    reason: str


@dataclass(frozen=True, slots=True)
class IndexResult:
    """Result in one index, or in several ones merged. Reasons and outcomes are by document id."""

    applied: int = 0
    superseded: int = 0
    reconciled: int = 0
    dead_lettered: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, Rejection] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)


def merge(results: Iterable[IndexResult]) -> IndexResult:
    """Sum the counts of several indexes. Where a key has a reason or an outcome in several, the last one stands."""
    total = IndexResult()
    for result in results:
        total = IndexResult(
            total.applied + result.applied,
            total.superseded + result.superseded,
            total.reconciled + result.reconciled,
            total.dead_lettered + result.dead_lettered,
            {**total.failed, **result.failed},
            {**total.rejected, **result.rejected},
            {**total.outcomes, **result.outcomes},
        )
    return total


@dataclass(slots=True)
class BulkStats:
    """Statistics of bulk requests."""

    max_seconds: float = 0.0
    """Duration of the longest request."""
    retries: int = 0
    """Writes that the cluster could not accept when they were sent, and that are sent again."""

    def add(self, seconds: float, not_accepted: int) -> None:
        """Count one request: its duration, and the writes that the cluster could not accept."""
        self.max_seconds = max(self.max_seconds, seconds)
        self.retries += not_accepted
