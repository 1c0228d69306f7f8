"""Records that are given up on, where giving up itself can fail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from dynadex.dead_letters.port import DeadLetterError
from dynadex.source.stream_event import Record
from dynadex.testing import ManualClock
from dynadex.worker.event_source_mapping import EventSourceMapping, Limits

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
DISK_FULL = DeadLetterError("write dead letters to", "dead-letters.jsonl", "no space left on device")


def record(number: int, **more: Any) -> Record:
    return {"dynamodb": {"SequenceNumber": str(number), **more}}


class Delivery:
    """Delivers to a handler that fails for as long as told, with dead letters that cannot be kept at first."""

    def __init__(self, limits: Limits, refusals: int) -> None:
        self.refusals = refusals
        self.handled: list[list[Record]] = []
        self.dead_lettered: list[Record] = []
        self.done: list[Record] = []
        self.fails = True
        self._mapping = EventSourceMapping(self._handle, ManualClock(), limits, self._dead_letter)

    def run(self, *records: Record) -> None:
        self._mapping.deliver(records, self.done.extend)

    def _handle(self, records: Sequence[Record]) -> Sequence[str]:
        self.handled.append(list(records))
        return [records[0]["dynamodb"]["SequenceNumber"]] if self.fails else ()

    def _dead_letter(self, records: Sequence[Record], _reason: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DISK_FULL
        self.dead_lettered += records


@pytest.mark.parametrize("refusals", [1, 5])
def test_records_that_cannot_be_dead_lettered_are_tried_on_until_they_can(refusals: int, logged: list[str]) -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=2), refusals)
    one = record(1)
    delivery.run(one)
    assert delivery.dead_lettered == [one]
    assert delivery.done == [one]
    assert len(delivery.handled) == 3 + refusals
    assert f"retrying: not given up on: {DISK_FULL}" in logged


def test_records_that_cannot_be_dead_lettered_are_done_once_they_go_through() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60), refusals=1)
    delivery.fails = False
    old = record(1, ApproximateCreationDateTime=LONG_AGO)
    delivery.run(old)
    assert delivery.dead_lettered == []
    assert delivery.done == [old]


def test_a_record_without_its_time_is_not_too_old() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60), refusals=0)
    delivery.fails = False
    old, timeless = record(1, ApproximateCreationDateTime=LONG_AGO), record(2)
    delivery.run(old, timeless)
    assert delivery.dead_lettered == [old]
    assert delivery.handled == [[timeless]]
    assert delivery.done == [old, timeless]
