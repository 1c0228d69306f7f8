"""Comparison: the same schedules under the convergence rule, its ablations, and rules in common use.

    python -m tests.property.report [SCHEDULES]

The last line sums it up in figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.property.ablations import ABLATIONS
from tests.property.rivals import NoVersion, SecondAndCount
from tests.property.schedules import Outcome, run_schedules, usual
from tests.property.world import Circumstances, World


def indexable(chance: Random) -> Circumstances:
    """Return the usual circumstances without items that a mapping rejects, which the other rules do not handle."""
    return replace(usual(chance), songs=(20, 10, 2, 0))


def main(schedules: int) -> int:
    seeds = range(schedules)
    whole = run_schedules(seeds, usual)
    print(f"{'rule':<62} diverged")
    _line("the convergence rule", whole)
    for name, ablation in ABLATIONS.items():
        _line(f"  without {ablation.rule.split(':')[0]}: {name}", ablation.run(seeds))
    fair = run_schedules(seeds, indexable)
    _line("the convergence rule, no rejected documents", fair)
    others = {"no version at all": NoVersion, "second x 1,000,000 + records seen in it": SecondAndCount}
    for other, rival in others.items():
        _line(f"  {other}", run_schedules(seeds, indexable, _with(rival)))
    happened = ", ".join(f"{count:,} {name}" for name, count in sorted(whole.happened.items()))
    print(f"happened under the convergence rule: {happened}")
    diverged = whole.diverged + fair.diverged
    print(f"convergence: {whole.schedules + fair.schedules:,} schedules, {diverged} diverged")
    return 1 if diverged else 0


def _with(rival: Callable[[World], object]) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        world.rule = rival(world)  # type: ignore[assignment]

    return prepare


def _line(name: str, outcome: Outcome) -> None:
    print(f"{name:<62} {outcome.diverged / outcome.schedules:8.2%}  ({outcome.diverged:,} of {outcome.schedules:,})")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))
