"""The line of figures that the tests of the page end with."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass(slots=True)
class Figures:
    """What the whole run came to."""

    scenes: int = 0
    violations: int = 0
    found_after: list[float] = field(default_factory=list)
    """Seconds from a save until searches found it, as the page tells."""

    def __str__(self) -> str:
        told = f"axe {self.scenes} scenes, {self.violations} violations of WCAG 2.2 AA"
        if self.found_after:
            told += f"; {len(self.found_after)} saves found by searches after {median(self.found_after):.1f} s (median)"
            told += f", {max(self.found_after):.1f} s at most"
        return f"browser: {told}"
