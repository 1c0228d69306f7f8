"""Random schedules, each driven by a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from dynadex.document.versioning import MICROSECONDS, Timing
from tests.property.ports import Cluster
from tests.property.world import INDEX, Circumstances, World

KEYS = ("a", "b")
_PAUSES = (0.0, 0.01, 0.05, 0.3, 0.9, 1.1, 3.0, 8.0)
# Longer than a fence, so that a schedule continues after it.
_LONG_PAUSE = 40.0


@dataclass
class Outcome:
    """Result of several schedules."""

    schedules: int = 0
    diverged: int = 0
    examples: list[str] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return f"{self.diverged} of {self.schedules} schedules diverged"


def run_schedule(
    seed: int,
    circumstances: Circumstances,
    prepare: Callable[[World], None] = lambda _: None,
    cluster: Cluster | None = None,
    index: str = INDEX,
) -> tuple[list[str], Counter[str]]:
    """Run one schedule, and return the differences at its end and the counts of what happened."""
    chance = random.Random(seed)
    # The product's back-off uses the global random source.
    random.seed(seed)
    world = World(circumstances, chance, cluster, index, prefix=f"{seed}-" if cluster else "")
    prepare(world)
    happened: Counter[str] = Counter()
    weights = [circumstances.actions.get(name, weight) for name, (_, weight) in ACTIONS.items()]
    for _ in range(chance.randrange(30, 120)):
        action = chance.choices(list(ACTIONS), weights)[0]
        happened[action] += 1
        ACTIONS[action][0](world, chance)
    world.drain()
    happened.update({f"fault: {name}": count for name, count in world.met.items()})
    return world.differences(), happened


def run_schedules(
    seeds: range,
    circumstances: Callable[[random.Random], Circumstances],
    prepare: Callable[[World], None] = lambda _: None,
    cluster: Cluster | None = None,
    index: str = INDEX,
) -> Outcome:
    """Run schedules, each in its own circumstances."""
    outcome = Outcome()
    for seed in seeds:
        chosen = circumstances(random.Random(f"circumstances {seed}"))
        differences, happened = run_schedule(seed, chosen, prepare, cluster, index)
        outcome.schedules += 1
        outcome.happened += happened
        if differences:
            outcome.diverged += 1
            outcome.examples.append(f"seed {seed}, {chosen}: {differences}")
    return outcome


def _write(world: World, chance: random.Random) -> None:
    """A burst: several changes of a key, often within one rounded second."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        name = chance.choice(KEYS)
        if chance.random() < 0.35:
            world.remove(name)
        else:
            world.put(name, chance.choices(("song", "same", "hidden", "poison"), world.circumstances.songs)[0])
        world.advance(chance.choice((0.0, 0.0, 0.01, 0.2)))


def _step(world: World, chance: random.Random) -> None:
    for _ in range(chance.randrange(1, 6)):
        world.step(chance.choice)


def _advance(world: World, chance: random.Random) -> None:
    world.advance(chance.choice((*_PAUSES, _LONG_PAUSE) if len(world.written) > 1 else _PAUSES))


ACTIONS: dict[str, tuple[Callable[[World, random.Random], None], int]] = {
    "write": (_write, 22),
    "step": (_step, 40),
    "advance": (_advance, 14),
    "invoke": (lambda world, chance: world.invoke(chance.choice((1, 2, 3, 10))), 16),
    "time out": (lambda world, _: world.time_out(), 3),
    "crash": (lambda world, _: world.crash(), 2),
    "replay": (lambda world, chance: world.replay(chance.randrange(20), chance.randrange(1, 6)), 3),
    "scan": (lambda world, chance: world.scan(chance.choice((1, 2, 10))), 3),
    "rebuild": (lambda world, _: world.rebuild(), 1),
    "resync": (lambda world, chance: world.resync(chance.choice(KEYS)), 3),
}


def usual(chance: random.Random) -> Circumstances:
    """Return the product's configuration for its stream: seconds as on AWS, or minutes as in DynamoDB Local."""
    granularity_us = chance.choice((MICROSECONDS, MICROSECONDS, 60 * MICROSECONDS))
    return Circumstances(
        table_granularity_us=granularity_us,
        timing=Timing(granularity_us=granularity_us),
        skew_us=chance.randrange(-500_000, 500_001),
    )
