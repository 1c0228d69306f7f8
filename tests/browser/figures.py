"""Figures of a run of the browser tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass(slots=True)
class Figures:
    """The totals of a run, printed as one line."""

    scenes: int = 0
    violations: int = 0
    found_after: list[float] = field(default_factory=list)
    """Seconds from each save until searches found it, as displayed by the page."""

    def __str__(self) -> str:
        line = f"axe {self.scenes} scenes, {self.violations} violations of WCAG 2.2 AA"
        if self.found_after:
            line += f"; {len(self.found_after)} saves found by searches after {median(self.found_after):.1f} s (median)"
            line += f", {max(self.found_after):.1f} s at most"
        return f"browser: {line}"
