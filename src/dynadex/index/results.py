"""What became of some changes or items, and what it took, counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ApplyResult:
    """Counts, one per key and index."""

    applied: int = 0
    superseded: int = 0
    """Refused for good reason: the index holds something newer."""
    reconciled: int = 0
    dead_lettered: int = 0
    skipped: int = 0
    """Items that are not indexed."""
    failed: dict[str, str] = field(default_factory=dict)
    """Sequence number (of changes) or document id (of items) -> reason: neither applied nor dead-lettered, to be
    retried."""
    newest_us: int = 0
    """Time of the newest change applied, in microseconds; lag is measured against it."""
    outcomes: dict[str, str] = field(default_factory=dict)
    """Document id (of changes) -> stale, reconciled or dead-lettered. What is simply applied is not in it."""

    def add(self, other: ApplyResult) -> None:
        """Count another's work as this one's, key by key no longer; what failed there will come again."""
        self.applied += other.applied
        self.superseded += other.superseded
        self.reconciled += other.reconciled
        self.dead_lettered += other.dead_lettered
        self.skipped += other.skipped
        self.newest_us = max(self.newest_us, other.newest_us)

    def __str__(self) -> str:
        parts = [f"{self.applied:,} applied"]
        named = {
            "superseded": self.superseded,
            "reconciled": self.reconciled,
            "dead-lettered": self.dead_lettered,
            "not indexed": self.skipped,
        }
        return ", ".join(parts + [f"{count:,} {name}" for name, count in named.items() if count])


@dataclass(slots=True)
class BulkStats:
    """Bulk requests: the longest of them, and how many writes the cluster could not take when they were sent."""

    max_seconds: float = 0.0
    retries: int = 0

    def add(self, seconds: float, not_taken: int) -> None:
        """Count one request."""
        self.max_seconds = max(self.max_seconds, seconds)
        self.retries += not_taken
