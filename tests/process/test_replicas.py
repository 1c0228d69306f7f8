"""Comparison of the replicas of a real table, which only the test replicates, with a lag on the clock of the test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from dynadex.demo.songs import lessons
from dynadex.retry import Retrier
from dynadex.runtime import connect
from dynadex.testing import ManualClock
from dynadex.verify.across_regions import RegionReplica
from dynadex.verify.replicas import ReplicaComparison, ReplicaDifference
from tests.process.conftest import SceneMaker
from tests.process.scene import Scene

SETTLE_SECONDS = 3.0
SONGS = 250
LATE = slice(0, 20)


class LaggingClock(ManualClock):
    """A clock that replicates during the first wait of the comparison."""

    def __init__(self, replicate: Callable[[], None]) -> None:
        super().__init__()
        self._replicate: Callable[[], None] | None = replicate

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        replicate = self._replicate
        if seconds > 0 and replicate:
            self._replicate = None
            replicate()


@pytest.fixture
def regions(make_scene: SceneMaker) -> Iterator[list[Scene]]:
    """Two scenes: a table with the same name in two regions, each with its own items."""
    made = []
    for region in ("us-east-1", "eu-west-1"):
        scene = make_scene("replicas")
        scene.settings = replace(scene.settings, region=region)
        scene.create_table()
        made.append(scene)
    yield made
    for scene in made:
        scene.dynamodb.delete_table(TableName=scene.name)


def replica(scene: Scene) -> RegionReplica:
    runtime = connect(scene.sync, replace(scene.settings, refill_page_size=40))
    return RegionReplica(str(scene.settings.region), runtime, Retrier(runtime.clock, logging.getLogger(__name__)))


def test_lag_is_distinguished_from_a_difference(regions: list[Scene]) -> None:
    songs = list(lessons(SONGS))
    for scene in regions:
        scene.load(songs)
    first, second = regions
    for song in songs[LATE]:
        first.put({**song, "title": "Changed"})
    first.put({"id": "only-first", "title": "Alone"})
    second.put({"id": "only-second", "title": "Alone"})
    second.put({**songs[100], "key": "another"})

    def replicate() -> None:
        for song in songs[LATE]:
            second.put({**song, "title": "Changed"})

    left, right = replica(first), replica(second)
    schema, clock = left.runtime.description.schema, LaggingClock(replicate)
    comparison = ReplicaComparison(left, right, schema, clock, SETTLE_SECONDS)
    differences = [difference for batch in comparison.differences() for difference in batch]
    both = ("us-east-1", "eu-west-1")
    assert sorted(differences, key=lambda difference: difference.id) == sorted(
        [
            ReplicaDifference("only-first", both, only_in="us-east-1"),
            ReplicaDifference("only-second", both, only_in="eu-west-1"),
            ReplicaDifference(songs[100]["id"], both, ("key",)),
        ],
        key=lambda difference: difference.id,
    )
    result = comparison.result
    assert (result.items, result.different, result.in_motion) == (SONGS + 2, 3, 0)
    assert result.late == 20
    assert 0 < result.max_seconds < SETTLE_SECONDS
