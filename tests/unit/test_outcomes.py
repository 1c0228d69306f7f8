"""Outcomes of changes by key, which the live view shows next to the counts."""

from __future__ import annotations

from typing import Any

from dynadex.change import Change
from dynadex.document.versioning import MICROSECONDS
from dynadex.index.results import ApplyResult
from tests.unit.verify_stage import Stage

DEADLINE = float("inf")


def change(stage: Stage, identity: str, number: int, seconds: float = 0, **attributes: Any) -> Change:
    key = {"id": {"S": identity}}
    time_us = stage.clock.now_us() + round(seconds * MICROSECONDS)
    return Change(key, {**key, **attributes}, time_us, str(number))


def test_outcomes_name_changes_that_were_not_simply_applied() -> None:
    stage = Stage()
    indexer = stage.runtime().indexer
    for identity in ("late", "tied"):
        stage.table.put({"id": {"S": identity}})
    indexer.apply(indexer.prepare([change(stage, "late", 1), change(stage, "tied", 2)]), DEADLINE)
    changes = [
        change(stage, "new", 3),
        change(stage, "late", 4, seconds=-60),
        change(stage, "tied", 5, title={"S": "of the same second"}),
        change(stage, "rejected", 6, bars={"S": "many"}),
    ]
    result = indexer.apply(indexer.prepare(changes), DEADLINE)
    assert result.outcomes == {"late": "superseded", "tied": "reconciled", "rejected": "dead_lettered"}
    assert not result.failed


def test_sums_hold_no_outcomes_of_single_keys() -> None:
    total = ApplyResult()
    total.add(ApplyResult(superseded=1, outcomes={"late": "superseded"}))
    assert total.superseded == 1
    assert total.outcomes == {}
