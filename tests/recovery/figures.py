"""Figures of a run of the recovery suite, printed as one line at its end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Figures:
    """Counts over the whole run, and two measurements."""

    slices: int = 0
    refills: int = 0
    rebuilds: int = 0
    kills: int = 0
    writes: int = 0
    searches: int = 0
    failed_searches: int = 0
    differences: int = 0
    planted: int = 0
    found: int = 0
    recovery_seconds_per_10_000: float = 0.0
    memory_ratios: tuple[float, ...] = ()

    def __str__(self) -> str:
        ratios = ", ".join(f"{ratio:.2f}" for ratio in self.memory_ratios) or "not measured"
        return (
            f"recovery: {self.refills} refills, {self.rebuilds} rebuilds, {self.slices} slices, {self.kills} kills, "
            f"{self.writes:,} writes, {self.searches:,} searches ({self.failed_searches} failed or empty), "
            f"{self.found} of {self.planted} planted differences found, {self.differences} differences left, "
            f"{self.recovery_seconds_per_10_000:.1f} s per 10,000 items after a lost cluster, "
            f"memory at 20 x the items: {ratios} x"
        )
