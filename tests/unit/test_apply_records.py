"""Batches prepared ahead of time are applied like any other, valid or not."""

from __future__ import annotations

from typing import Any

import pytest

from dynadex.document.versioning import MICROSECONDS
from dynadex.index.apply_records import Batch, apply_records, prepare_batch
from tests.unit.verify_stage import INDEX, Stage

DEADLINE = float("inf")


def record(stage: Stage, number: int, identity: str, **attributes: Any) -> dict[str, Any]:
    key = {"id": {"S": identity}}
    body = {"Keys": key, "NewImage": {**key, **attributes}, "SequenceNumber": str(number)}
    return {
        "eventName": "INSERT",
        "dynamodb": {**body, "ApproximateCreationDateTime": stage.clock.now_us() // MICROSECONDS},
    }


def batch(stage: Stage) -> Batch:
    """A superseded change before the newer one, a rejected document, and a record without a key."""
    records = [
        record(stage, 1, "song", title={"S": "old"}),
        record(stage, 2, "song", title={"S": "new"}),
        record(stage, 3, "rejected", bars={"S": "many"}),
        record(stage, 4, "nameless"),
    ]
    del records[3]["dynamodb"]["Keys"]
    return Batch(records)


@pytest.mark.parametrize("ahead", [True, False])
def test_batch_prepared_ahead_is_applied_like_any_other(ahead: bool) -> None:
    stage = Stage()
    indexer, records = stage.runtime().indexer, batch(stage)
    if ahead:
        prepare_batch(indexer, records)
        # The records are not parsed a second time.
        records[:] = [{} for _ in records]
    result = apply_records(indexer, records, DEADLINE)
    assert (result.applied, result.dead_lettered, result.failed) == (1, 2, {})
    [stored] = stage.index.get_many(INDEX, ["song"])
    assert stored
    assert stored.source["title"] == "new"


def test_slice_of_a_batch_is_prepared_when_applied() -> None:
    stage = Stage()
    indexer, records = stage.runtime().indexer, batch(stage)
    prepare_batch(indexer, records)
    result = apply_records(indexer, records[2:], DEADLINE)
    assert (result.applied, result.dead_lettered, result.failed) == (0, 2, {})


def test_invalid_record_raises_when_applied_and_not_when_prepared() -> None:
    stage = Stage()
    indexer, records = stage.runtime().indexer, Batch([{"dynamodb": {}}])
    prepare_batch(indexer, records)
    with pytest.raises(ValueError, match="SequenceNumber"):
        apply_records(indexer, records, DEADLINE)


def test_items_not_indexed_are_counted_without_deleted_items() -> None:
    stage = Stage()
    removed = record(stage, 3, "gone")
    removed["eventName"] = "REMOVE"
    del removed["dynamodb"]["NewImage"]
    records = Batch(
        [record(stage, 1, "song", title={"S": "new"}), record(stage, 2, "hidden", hidden={"BOOL": True}), removed]
    )
    result = apply_records(stage.runtime().indexer, records, DEADLINE)
    assert (result.applied, result.not_indexed, result.failed) == (3, 1, {})
