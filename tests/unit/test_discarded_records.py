"""Records that exceed a limit, where dead-lettering them can fail."""

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
DISK_FULL = DeadLetterError("add dead letters to", "dead-letters.jsonl", "no space left on device")


def record(number: int, **more: Any) -> Record:
    return {"dynamodb": {"SequenceNumber": str(number), **more}}


class Delivery:
    """Delivers to a handler that fails if ``fails``. The first ``rejections`` dead letters cannot be stored."""

    def __init__(self, limits: Limits, rejections: int) -> None:
        self.rejections = rejections
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
        if self.rejections:
            self.rejections -= 1
            raise DISK_FULL
        self.dead_lettered += records


@pytest.mark.parametrize("rejections", [1, 5])
def test_records_are_retried_until_they_can_be_dead_lettered(rejections: int, logged: list[str]) -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=2), rejections)
    failing = record(1)
    delivery.run(failing)
    assert delivery.dead_lettered == [failing]
    assert delivery.done == [failing]
    assert len(delivery.handled) == 3 + rejections
    assert f"retrying: the records cannot be discarded yet: {DISK_FULL}" in logged


def test_expired_record_that_cannot_be_dead_lettered_is_processed_once_it_is_applied() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60), rejections=1)
    delivery.fails = False
    old = record(1, ApproximateCreationDateTime=LONG_AGO)
    delivery.run(old)
    assert delivery.dead_lettered == []
    assert delivery.done == [old]


def test_record_without_a_time_never_expires() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60), rejections=0)
    delivery.fails = False
    old, timeless = record(1, ApproximateCreationDateTime=LONG_AGO), record(2)
    delivery.run(old, timeless)
    assert delivery.dead_lettered == [old]
    assert delivery.handled == [[timeless]]
    assert delivery.done == [old, timeless]
