"""Ratios between a baseline and a candidate that are measured in alternating rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


class Ratios:
    """How many times as fast as the baseline the candidate is: median and range over the rounds."""

    def __init__(self) -> None:
        self._ratios: list[float] = []
        self._candidate: list[float] = []

    def add(self, baseline_seconds: float, candidate_seconds: float) -> None:
        """Add the durations of one round."""
        self._ratios.append(baseline_seconds / candidate_seconds)
        self._candidate.append(candidate_seconds)

    @property
    def median(self) -> float:
        """Median ratio of the rounds."""
        return statistics.median(self._ratios)

    @property
    def candidate_median(self) -> float:
        """Median seconds of the candidate."""
        return statistics.median(self._candidate)

    def __str__(self) -> str:
        spread = f"{min(self._ratios):.2f} to {max(self._ratios):.2f}"
        return f"{self.median:.2f} ({spread}, {len(self._ratios)} rounds) times"


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the processor time that this process uses for the work."""
    before = time.process_time()
    work()
    return time.process_time() - before


def share(part_seconds: float, whole: Ratios) -> str:
    """Return a line with the share of the candidate's time that decoding and encoding take."""
    return f"decoding and encoding, measured separately, take {part_seconds / whole.candidate_median:.1%} of that time"


def wall_seconds(work: Callable[[], object]) -> float:
    """Return the wall time of the work."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before
