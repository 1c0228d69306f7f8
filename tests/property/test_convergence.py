"""Convergence: once the stream is drained, index and table are equal after any writes in any order.

`make convergence` runs the same with many more schedules.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dynadex import clients
from dynadex.document.versioning import MICROSECONDS, Timing
from dynadex.index.aliases import GC_DELETES
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.settings import RuntimeSettings
from tests.property.ablations import ABLATIONS, Ablation
from tests.property.ports import FAULTS
from tests.property.report import indexable
from tests.property.rivals import NoVersion, SecondAndCount
from tests.property.schedules import ACTIONS, KEYS, run_schedules, usual
from tests.property.world import MAPPINGS, Circumstances, World

# 1 for `make test`; `make convergence` sets more.
_SCALE = int(os.environ.get("CONVERGENCE_SCALE", "1"))
_MAX_ABLATED = 4_000


def test_no_schedule_diverges_in_memory() -> None:
    outcome = run_schedules(range(800 * _SCALE), usual)
    assert outcome.diverged == 0, outcome.examples[:3]
    missing = [name for name in (*ACTIONS, *(f"fault: {fault}" for fault in FAULTS)) if not outcome.happened[name]]
    assert not missing, f"the schedules do not cover: {missing}"


@pytest.mark.parametrize("ablation", ABLATIONS.values(), ids=ABLATIONS)
def test_some_schedule_diverges_without_one_part_of_the_rule(ablation: Ablation) -> None:
    with ablation.switch():
        for start in range(0, _MAX_ABLATED, 100):
            outcome = run_schedules(range(start, start + 100), ablation.circumstances, ablation.prepare)
            if outcome.diverged:
                return
    pytest.fail(f"no schedule of {_MAX_ABLATED} diverged without rule {ablation.rule}")


@pytest.mark.parametrize("rival", [NoVersion, SecondAndCount])
def test_rules_in_common_use_diverge(rival: type[NoVersion] | type[SecondAndCount]) -> None:
    def prepare(world: World) -> None:
        world.rule = rival(world)

    assert run_schedules(range(300), indexable, prepare).diverged > 0


@pytest.mark.parametrize("name", ["correct documents not rewritten", "rejection leaves no tombstone"])
def test_circumstances_made_for_an_ablation_do_not_diverge_under_the_whole_rule(name: str) -> None:
    outcome = run_schedules(range(300 * _SCALE), ABLATIONS[name].circumstances)
    assert outcome.diverged == 0, outcome.examples[:3]


@pytest.fixture(scope="module")
def cluster(opensearch_url: str) -> Iterator[OpenSearchIndex]:
    client = clients.opensearch(RuntimeSettings(opensearch_url=opensearch_url))
    with closing(client):
        yield OpenSearchIndex(client)


def test_no_schedule_diverges_on_real_opensearch(cluster: OpenSearchIndex) -> None:
    index = f"convergence-{os.getpid()}"
    only_mine = {"gc_deletes": GC_DELETES, "refresh_interval": "-1", "number_of_replicas": 0}
    cluster.create(index, {"mappings": MAPPINGS, "settings": {"index": only_mine}})
    try:
        outcome = run_schedules(range(50 * _SCALE), usual, cluster=cluster, index=index)
    finally:
        cluster.delete(index)
    assert outcome.diverged == 0, outcome.examples[:3]
    assert outcome.happened["scan"]
    assert outcome.happened["fault: reply lost"]


class Convergence(RuleBasedStateMachine):
    """The same world, driven by Hypothesis, which shrinks a failure to the shortest history."""

    @initialize(seed=st.integers(0, 2**16), skew_us=st.integers(-500_000, 500_000), coarse=st.booleans())
    def begin(self, seed: int, skew_us: int, coarse: bool) -> None:
        granularity_us = 60 * MICROSECONDS if coarse else MICROSECONDS
        random.seed(seed)
        circumstances = Circumstances(granularity_us, Timing(granularity_us=granularity_us), skew_us)
        self.world = World(circumstances, random.Random(seed))

    @rule(name=st.sampled_from(KEYS), kind=st.sampled_from(("song", "same", "hidden", "poison")))
    def put(self, name: str, kind: str) -> None:
        self.world.put(name, kind)

    @rule(name=st.sampled_from(KEYS))
    def remove(self, name: str) -> None:
        self.world.remove(name)

    @rule(size=st.integers(1, 10))
    def invoke(self, size: int) -> None:
        self.world.invoke(size)

    @rule()
    def time_out(self) -> None:
        self.world.time_out()

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @rule(start=st.integers(0, 20), count=st.integers(1, 6))
    def replay(self, start: int, count: int) -> None:
        self.world.replay(start, count)

    @rule(page_size=st.integers(1, 3))
    def scan(self, page_size: int) -> None:
        self.world.scan(page_size)

    @rule(name=st.sampled_from(KEYS))
    def resync(self, name: str) -> None:
        self.world.resync(name)

    @rule(choices=st.lists(st.integers(0, 9), min_size=1, max_size=6))
    def step(self, choices: list[int]) -> None:
        for choice in choices:
            self.world.step(lambda ready, choice=choice: ready[choice % len(ready)])  # type: ignore[misc]

    @rule(seconds=st.sampled_from((0.01, 0.3, 0.9, 1.1, 3.0, 8.0)))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.drain()
            assert self.world.differences() == []


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(
    max_examples=150 * _SCALE,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=_SCALE == 1,
)
