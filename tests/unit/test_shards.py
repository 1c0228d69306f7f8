"""plan_reads: parents first, and no gap without a report."""

from __future__ import annotations

import pytest

from dynadex.source.shards import ReadPlan, Shard, plan_reads, shards_of


def shards(*lines: str) -> list[Shard]:
    """Parse ``child<parent``, or the name of a shard without a parent."""
    parsed = []
    for line in lines:
        name, _, parent = line.partition("<")
        parsed.append(Shard(name, parent or None))
    return parsed


# listed, started, finished -> ready, lost, obsolete
PLANS: dict[str, tuple[tuple[str, ...], str, str, tuple[str, str, str]]] = {
    "nothing listed": ((), "", "", ("", "", "")),
    "roots are read immediately": (("a", "b"), "", "", ("a b", "", "")),
    "a child waits for its parent": (("a", "b<a"), "", "", ("a", "", "")),
    "a child waits while its parent is read": (("a", "b<a"), "a", "", ("a", "", "")),
    "a child follows its finished parent": (("a", "b<a"), "a", "a", ("b", "", "")),
    "a child continues after a restart": (("a", "b<a"), "a b", "a", ("b", "", "")),
    "both children of a split": (("a", "b<a", "c<a"), "a", "a", ("b c", "", "")),
    "neither child of a split before it": (("a", "b<a", "c<a"), "a", "", ("a", "", "")),
    "a chain, from its beginning": (("a", "b<a", "c<b", "d<c"), "", "", ("a", "", "")),
    "a chain, from its middle": (("a", "b<a", "c<b", "d<c"), "a b", "a b", ("c", "", "")),
    "children listed before their parents": (("c<b", "b<a", "a"), "", "", ("a", "", "")),
    "two families": (("a", "b<a", "x", "y<x"), "a x", "x", ("a y", "", "")),
    "everything finished": (("a", "b<a"), "a b", "a b", ("", "", "")),
    # Trimmed shards. A first start begins where the stream begins.
    "a first start, with trimmed parents": (("b<a", "c<a", "d<b"), "", "", ("b c", "", "")),
    "a parent that was finished and is trimmed": (("b<a",), "a", "a", ("b", "", "")),
    "a parent that was finished and is trimmed, its child being read": (("b<a",), "a b", "a", ("b", "", "a")),
    "a parent trimmed before it was ever read": (("b", "d<c"), "b", "", ("b d", "d", "")),
    "a child that was started, its parent trimmed unread": (("d<c",), "d", "", ("d", "", "")),
    "a shard trimmed while it was read": (("b<a",), "a", "", ("b", "b a", "")),
    "a shard trimmed while it was read, nothing after it": ((), "a", "", ("", "a", "")),
    "a finished shard is forgotten once it is trimmed": (("c",), "a c", "a", ("c", "", "a")),
    "a finished shard is kept while it is listed": (("a", "b<a"), "a b", "a b", ("", "", "")),
    "a finished shard is kept while its child has not begun": (("c<a", "d<a"), "a c", "a", ("c d", "", "")),
    "a whole family forgotten": (("x",), "a b x", "a b", ("x", "", "a b")),
}


@pytest.mark.parametrize(("listed", "started", "finished", "expected"), PLANS.values(), ids=PLANS)
def test_plan_of_reads(listed: tuple[str, ...], started: str, finished: str, expected: tuple[str, str, str]) -> None:
    plan = plan_reads(shards(*listed), started.split(), finished.split())
    ready, lost, obsolete = expected
    assert plan.ready == ready.split()
    assert [line.split()[1] for line in plan.lost] == lost.split()
    assert plan.obsolete == obsolete.split()


def test_lost_changes_are_explained() -> None:
    plan = plan_reads(shards("d<c", "x"), ["x", "y"], [])
    assert plan.lost == [
        "shard d follows c, which was trimmed before it was read",
        "shard y was trimmed before it was read to its end",
    ]


def test_plans_read_every_shard_once_and_parents_first() -> None:
    family = shards("f<d", "e<b", "d<b", "c<a", "b<a", "a", "g<f")
    parents = {shard.shard_id: shard.parent for shard in family}
    read: list[str] = []
    while ready := plan_reads(family, read, read).ready:
        assert all(parents[shard_id] is None or parents[shard_id] in read for shard_id in ready)
        read += ready
    assert sorted(read) == sorted(parents)
    assert plan_reads(family, read, read) == ReadPlan([], [], [])


def test_shards_of_a_description() -> None:
    description = {
        "Shards": [
            {"ShardId": "a", "SequenceNumberRange": {"StartingSequenceNumber": "1"}},
            {"ShardId": "b", "ParentShardId": "a"},
        ]
    }
    assert shards_of(description) == [Shard("a", None), Shard("b", "a")]
