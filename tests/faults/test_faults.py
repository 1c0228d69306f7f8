"""Real processes under real faults: whatever happens on the way, table and index end the same and nothing is lost."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.load import writing
from tests.faults.proxy import BY_CHANCE, SLOW, Fault, Plan, Proxy, proxy_to
from tests.faults.stage import Figures, Stage, make_stage
from tests.opensearch_node import OpenSearchNode
from tests.process.processes import Commands, Running, commands_in, wait_for
from tests.process.relay import relay_to
from tests.process.scene import REFERENCE

# 1 is the whole suite, as `make faults` runs it; `make test` runs a part of it.
SCALE = float(os.environ.get("FAULTS_SCALE", "0.15"))
KILLS = max(8, round(50 * SCALE))
FAULTS_EACH = max(3, round(20 * SCALE))
SLOW_FAULTS_EACH = max(2, round(6 * SCALE))
READING = "reading the stream as worker"


@pytest.fixture(scope="module")
def make(
    tmp_path_factory: pytest.TempPathFactory, dynamodb_url: str, node: OpenSearchNode
) -> Iterator[Callable[[str], Stage]]:
    """A stage by its name."""
    with ExitStack() as stages:

        def make(name: str) -> Stage:
            stage = make_stage(tmp_path_factory.mktemp(name), name, dynamodb_url, node.url)
            stages.callback(stage.close)
            return stage

        yield make


@contextmanager
def working(stage: Stage, opensearch_url: str, **variables: str) -> Iterator[tuple[Running, Commands]]:
    """A worker that reads, and the commands to start another."""
    environment = stage.variables | {"OPENSEARCH_URL": opensearch_url} | variables
    with commands_in(stage.directory, **environment) as commands:
        worker = commands.start("run", REFERENCE)
        worker.wait_for_line(READING)
        yield worker, commands


@pytest.fixture(scope="module")
def struck(make: Callable[[str], Stage]) -> Iterator[tuple[Stage, Proxy, Running]]:
    """A stage whose worker reaches OpenSearch through a proxy; the faults strike one after the other."""
    stage = make("struck")
    with proxy_to(stage.settings.opensearch_url) as proxy, working(stage, proxy.url) as (worker, _):
        yield stage, proxy, worker


@pytest.mark.parametrize("kinds", [*((kind,) for kind in BY_CHANCE), BY_CHANCE], ids=lambda kinds: "+".join(k.name.lower() for k in kinds) if len(kinds) == 1 else "all")
def test_a_fault_between_worker_and_cluster_leaves_no_difference(
    struck: tuple[Stage, Proxy, Running], figures: Figures, kinds: Sequence[Fault]
) -> None:
    stage, proxy, worker = struck
    before = proxy.happened.faults.copy()
    slow = kinds[0] in SLOW
    enough = (SLOW_FAULTS_EACH if slow else FAULTS_EACH) * len(kinds)

    def happened() -> dict[Fault, int]:
        return {kind: proxy.happened.faults[kind] - before[kind] for kind in kinds}

    with writing(stage, seed=len(before)) as load:
        proxy.plan = Plan(kinds, probability=0.4)
        wait_for(lambda: sum(happened().values()) >= enough and all(happened().values()), str(kinds), 60 + 60 * SCALE)
        assert worker.is_alive(), str(worker)
        proxy.heal()
    figures.writes += load.writes
    stage.compare(figures, worker)
    count(figures, happened())


def count(figures: Figures, happened: dict[Fault, int]) -> None:
    """Print what happened; every kind that was asked for did."""
    for kind, times in happened.items():
        print(f"{times} x {kind.value}")
        assert times > 0, f"{kind.value} never happened"
        figures.faults[kind.value] += times
