"""What a run of the suite of regions did, for its one line at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median, quantiles


@dataclass
class Figures:
    """Counts over the whole run; ``delays`` are seconds from a write's answer until the other region's search shows
    it."""

    delays: list[float] = field(default_factory=list)
    writes: int = 0
    searches: int = 0
    failed_searches: int = 0
    failover_seconds: float = 0.0
    back_seconds: float = 0.0
    same_key_writes: int = 0
    differences: int = 0

    def delay(self) -> str:
        """Median and 95th percentile."""
        if len(self.delays) < 2:
            return "delays not measured"
        p95 = quantiles(self.delays, n=20, method="inclusive")[-1]
        after = f"{median(self.delays):.2f} s (median), {p95:.2f} s (p95)"
        return f"{len(self.delays)} writes found in the other region after {after}"

    def __str__(self) -> str:
        return (
            f"regions: {self.delay()}, failover after {self.failover_seconds:.1f} s, {self.searches:,} searches "
            f"({self.failed_searches} failed once that had passed), {self.writes:,} writes, region back from empty "
            f"after {self.back_seconds:.1f} s, {self.same_key_writes:,} same-key writes, "
            f"{self.differences} differences"
        )
