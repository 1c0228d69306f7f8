"""Table of a run: a line per kind of damage, with all engines side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.relevance.evaluate import Row


@dataclass(frozen=True, slots=True)
class Line:
    """A kind of damage, the success of each engine (dynadex first), and the number of ambiguous cases left out."""

    kind: str
    rows: tuple[Row, ...]
    left_out: int
    measure: str = "among_five"

    @property
    def failures(self) -> tuple[int, ...]:
        """The number of songs not found by each engine, by the measure of this kind."""
        return tuple(row.cases - round(getattr(row, self.measure) * row.cases) for row in self.rows)

    @property
    def halved(self) -> bool:
        """Whether dynadex has at most half of the failures of the better baseline."""
        ours, *baselines = self.failures
        return 2 * ours <= min(baselines)


@dataclass
class Table:
    """The results of a run."""

    lines: list[Line] = field(default_factory=list)
    p95_ms: dict[str, float] = field(default_factory=dict)
    nonsense: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        head = f"{'':28}{'cases':>7}{'left out':>9}" + "".join(
            f"  {name:^22}" for name in ("dynadex", "match", "fuzzy")
        )
        names = f"{'':44}" + "".join(f"  {'@1':>6}{'@5':>8}{'MRR':>8}" for _ in range(3))
        return "\n".join(["", head, names, *(_formatted(line) for line in self.lines), self._last_line()])

    def _last_line(self) -> str:
        missed = sum(line.failures[0] for line in self.lines)
        baseline = sum(min(line.failures[1:]) for line in self.lines)
        cases = sum(line.rows[0].cases for line in self.lines)
        with_hits, queries = self.nonsense
        times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in self.p95_ms.items()) or "not measured"
        return (
            f"relevance: {cases:,} damaged titles, {missed} missed, {baseline} by the better baseline of each row; "
            f"failures halved in {sum(line.halved for line in self.lines)} of {len(self.lines)} rows; "
            f"{with_hits} of {queries} nonsense queries found something; p95: {times}"
        )


def _formatted(line: Line) -> str:
    figures = "".join(f"  {row.first:6.4f}{row.among_five:8.4f}{row.mrr:8.4f}" for row in line.rows)
    return f"{line.kind:28}{line.rows[0].cases:7}{line.left_out:9}{figures}"
