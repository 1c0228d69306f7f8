"""Rounds of a baseline and a candidate, one after the other, and what they come to."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


class Ratios:
    """How many times as fast as its baseline a candidate is: the median of the rounds, and their spread."""

    def __init__(self) -> None:
        self._ratios: list[float] = []
        self._candidate: list[float] = []

    def add(self, baseline_seconds: float, candidate_seconds: float) -> None:
        """One round."""
        self._ratios.append(baseline_seconds / candidate_seconds)
        self._candidate.append(candidate_seconds)

    @property
    def median(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self._ratios)

    @property
    def candidate_median(self) -> float:
        """Seconds of the candidate, the median of the rounds."""
        return statistics.median(self._candidate)

    def __str__(self) -> str:
        spread = f"{min(self._ratios):.2f} to {max(self._ratios):.2f}"
        return f"{self.median:.2f} ({spread}, {len(self._ratios)} rounds) times"


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time that a piece of work takes, in this process alone."""
    before = time.process_time()
    work()
    return time.process_time() - before


def share(part_seconds: float, whole: Ratios) -> str:
    """How much of a candidate's time its decoding and encoding take, measured alone, in words."""
    return f"decoding and encoding, measured alone, take {part_seconds / whole.candidate_median:.1%} of that time"


def wall_seconds(work: Callable[[], object]) -> float:
    """Time that a piece of work takes."""
    before = time.perf_counter()
    work()
    return time.perf_counter() - before
