"""What the live view is told of the worker's doing: counts, lag and outcomes, a second at a time."""

from __future__ import annotations

from typing import Any

from dynadex.demo.live_feed import SECONDS_KEPT, LiveFeed
from dynadex.document.identity import KeySchema
from dynadex.document.versioning import MICROSECONDS
from dynadex.index.results import ApplyResult
from dynadex.testing import ManualClock

NOW = 1_795_500_000
SCHEMA = KeySchema(("id",), ("S",))


def record(number: int, identity: str = "rakes", *, written: float = NOW, removed: bool = False) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Keys": {"id": {"S": identity}}, "SequenceNumber": str(number), "ApproximateCreationDateTime": written,
    }  # fmt: skip
    if not removed:
        body["NewImage"] = {"id": {"S": identity}}
    return {"eventName": "REMOVE" if removed else "INSERT", "dynamodb": body}


def started() -> tuple[LiveFeed, ManualClock]:
    clock = ManualClock(NOW * MICROSECONDS)
    return LiveFeed(SCHEMA, clock), clock


def test_each_change_is_told_once_newest_first_with_what_became_of_it() -> None:
    feed, clock = started()
    records = [record(1, "a"), record(2, "b", removed=True), record(3, "c")]
    feed.on_start(records)
    clock.sleep(0.5)
    feed.on_result(records, ApplyResult(outcomes={"b": "superseded", "c": "dead_lettered"}))
    flow = feed.flow()
    assert [(one.id, one.kind, one.outcome) for one in flow.changes] == [
        ("c", "put", "dead_lettered"), ("b", "delete", "superseded"), ("a", "put", "applied"),
    ]  # fmt: skip
    assert {one.applied_us - one.written_us for one in flow.changes} == {MICROSECONDS // 2}
    assert flow.total == 3


def test_what_failed_is_not_told_until_it_is_done() -> None:
    feed, clock = started()
    records = [record(1, "a"), record(2, "b")]
    feed.on_start(records)
    feed.on_result(records, ApplyResult(failed={"2": "the cluster is busy"}))
    assert [one.id for one in feed.flow().changes] == ["a"]
    clock.sleep(7)
    assert feed.flow().lag_seconds == 7
    feed.on_start(records[1:])
    feed.on_result(records[1:], ApplyResult())
    assert [one.id for one in feed.flow().changes] == ["b", "a"]
    clock.sleep(3)
    assert feed.flow().lag_seconds == 0


def test_lag_is_the_age_of_the_oldest_change_that_is_not_applied_yet() -> None:
    feed, clock = started()
    feed.on_start([record(1), record(2, written=NOW + 2)])
    clock.sleep(4.5)
    assert feed.flow().lag[-6:] == (0.0, 1.0, 2.0, 3.0, 4.0, 4.5)
    feed.on_result([record(1), record(2, written=NOW + 2)], ApplyResult())
    clock.sleep(2)
    assert feed.flow().lag[-8:] == (0.0, 1.0, 2.0, 3.0, 4.0, 4.5, 0.0, 0.0)


def test_a_minute_is_kept_and_no_more_than_fifty_changes() -> None:
    feed, clock = started()
    for second in range(100):
        batch = [record(second, f"{second}-{number}", written=NOW + second) for number in range(3)]
        feed.on_start(batch)
        feed.on_result(batch, ApplyResult())
        clock.sleep(1)
    flow = feed.flow()
    assert flow.per_second == (3,) * (SECONDS_KEPT - 1) + (0,)
    assert len(flow.lag) == SECONDS_KEPT
    assert len(flow.changes) == 50
    assert flow.total == 300


def test_a_record_without_a_usable_key_is_passed_over() -> None:
    feed, _ = started()
    malformed = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": "1"}}
    feed.on_start([malformed])
    feed.on_result([malformed], ApplyResult(dead_lettered=1))
    assert feed.flow().changes == ()
    keyless = record(2)
    keyless["dynamodb"]["Keys"] = {"other": {"S": "x"}}
    feed.on_result([keyless], ApplyResult(dead_lettered=1))
    assert [one.id for one in feed.flow().changes] == [""]
