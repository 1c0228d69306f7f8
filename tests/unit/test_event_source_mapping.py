"""Delivery of a batch with the semantics of AWS's event source mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from dynadex.errors import DynadexError, SearchError, SearchUnavailable
from dynadex.retry import Backoff
from dynadex.source.stream_event import Record
from dynadex.testing import ManualClock
from dynadex.worker.event_source_mapping import EventSourceMapping, Limits
from tests.lambda_semantics import lambda_handler

FIRST = 100_000_000_000_000_000_000


def batch(count: int, age_seconds: Sequence[int] = (), now_us: int = 1_700_000_000_000_000) -> list[Record]:
    """Records 1, 2, ...; ``age_seconds`` are the ages of the first of them."""
    ages = [*age_seconds, *([0] * count)]
    return [
        {
            "dynamodb": {
                "SequenceNumber": str(FIRST + position + 1),
                "ApproximateCreationDateTime": datetime.fromtimestamp(now_us / 1e6 - ages[position], UTC),
            }
        }
        for position in range(count)
    ]


def number(position: int) -> str:
    return str(FIRST + position)


def positions(records: Sequence[Record]) -> list[int]:
    return [int(record["dynamodb"]["SequenceNumber"]) - FIRST for record in records]


class Delivery:
    """Delivers a batch to a scripted handler; records what was delivered, done and dead-lettered."""

    def __init__(self, limits: Limits | None = None, on_failure: bool | Exception = True) -> None:
        self.clock = ManualClock()
        self.delivered: list[list[int]] = []
        self.done: list[int] = []
        self.dead_lettered: list[tuple[list[int], str]] = []
        self.script: Callable[[list[int]], Sequence[str]] = lambda _: ()
        self._on_failure = on_failure
        self.mapping = EventSourceMapping(
            self._handle,
            self.clock,
            limits,
            self._dead_letter if on_failure else None,
            Backoff(1.0, 1.0),
        )

    def run(self, records: Sequence[Record]) -> None:
        self.mapping.deliver(records, lambda done: self.done.extend(positions(done)))

    def _handle(self, records: Sequence[Record]) -> Sequence[str]:
        self.delivered.append(positions(records))
        return self.script(positions(records))

    def _dead_letter(self, records: Sequence[Record], reason: str) -> None:
        if isinstance(self._on_failure, Exception):
            raise self._on_failure
        self.dead_lettered.append((positions(records), reason))


def raise_(error: Exception) -> Any:
    raise error


def poisoned(*culprits: int, error: Exception | None = None) -> Callable[[list[int]], Sequence[str]]:
    """A function that raises if its batch contains one of these records."""
    return lambda numbers: raise_(error or RuntimeError("boom")) if set(culprits) & set(numbers) else ()


def test_successful_batch_is_delivered_once(logged: list[str]) -> None:
    delivery = Delivery()
    delivery.run(batch(3))
    assert delivery.delivered == [[1, 2, 3]]
    assert delivery.done == [1, 2, 3]
    assert logged == []


def test_empty_batch_is_not_delivered() -> None:
    delivery = Delivery()
    delivery.run([])
    assert (delivery.delivered, delivery.done) == ([], [])


def test_records_before_the_failed_one_are_processed_and_the_rest_is_redelivered(logged: list[str]) -> None:
    delivery = Delivery()
    delivery.script = lambda _: [number(3)] if len(delivery.delivered) == 1 else ()
    delivery.run(batch(4))
    assert delivery.delivered == [[1, 2, 3, 4], [3, 4]]
    assert delivery.done == [1, 2, 3, 4]
    assert logged == ["retrying: attempt 1 of 2 records: reported as failed"]


def test_lowest_of_several_failed_records_decides() -> None:
    delivery = Delivery()
    delivery.script = lambda _: [number(4), number(2)] if len(delivery.delivered) == 1 else ()
    delivery.run(batch(4))
    assert delivery.delivered == [[1, 2, 3, 4], [2, 3, 4]]


@pytest.mark.parametrize("unknown", [number(77), "0"])
def test_failed_record_that_is_not_in_the_batch_fails_the_whole_batch(unknown: str) -> None:
    delivery = Delivery()
    delivery.script = lambda _: [unknown] if len(delivery.delivered) == 1 else ()
    delivery.run(batch(2))
    assert delivery.delivered == [[1, 2], [1, 2]]
    assert delivery.done == [1, 2]


def test_records_are_acknowledged_only_after_the_handler_returns() -> None:
    delivery = Delivery()
    done_before: list[list[int]] = []

    def script(numbers: list[int]) -> Sequence[str]:
        done_before.append(list(delivery.done))
        return [number(numbers[1])] if len(numbers) > 1 else ()

    delivery.script = script
    delivery.run(batch(3))
    assert done_before == [[], [1], [1, 2]]
    assert delivery.done == [1, 2, 3]


def test_batch_is_bisected_until_the_failing_record_is_alone() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=2))
    delivery.script = poisoned(6)
    delivery.run(batch(8))
    assert delivery.delivered == [
        [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6], [5], [6], [6], [6], [7, 8],
    ]  # fmt: skip
    assert delivery.dead_lettered == [([6], "failed 3 times, at last: RuntimeError: boom")]
    assert delivery.done == [1, 2, 3, 4, 5, 6, 7, 8]


def test_bisecting_keeps_the_order() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=0))
    delivery.script = poisoned(2, 3, 7)
    delivery.run(batch(9))
    assert delivery.done == list(range(1, 10))
    assert [numbers for numbers, _ in delivery.dead_lettered] == [[2], [3], [7]]
    successes = [numbers for numbers in delivery.delivered if not {2, 3, 7} & set(numbers)]
    assert [position for numbers in successes for position in numbers] == [1, 4, 5, 6, 8, 9]


def test_batch_is_redelivered_whole_without_bisecting() -> None:
    delivery = Delivery(Limits(bisect_batch_on_function_error=False, maximum_retry_attempts=1))
    delivery.script = poisoned(2)
    delivery.run(batch(3))
    assert delivery.delivered == [[1, 2, 3], [1, 2, 3]]
    assert delivery.dead_lettered == [([1, 2, 3], "failed 2 times, at last: RuntimeError: boom")]


def test_batch_is_not_bisected_while_a_backend_is_unavailable(logged: list[str]) -> None:
    delivery = Delivery()
    unavailable = SearchUnavailable("write to index", "songs", "connection refused")
    delivery.script = lambda _: raise_(unavailable) if len(delivery.delivered) < 4 else ()
    began = delivery.clock.monotonic()
    delivery.run(batch(4))
    assert delivery.delivered == [[1, 2, 3, 4]] * 4
    assert delivery.done == [1, 2, 3, 4]
    assert delivery.clock.monotonic() - began >= 1.5
    assert logged[-1] == "retrying: attempt 3 of 4 records: Cannot write to index songs: connection refused."


@pytest.mark.parametrize(("max_retries", "calls"), [(0, 1), (1, 2), (3, 4)])
def test_records_are_dead_lettered_after_their_retries(max_retries: int, calls: int) -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=max_retries))
    delivery.script = lambda numbers: [number(numbers[0])]
    delivery.run(batch(2))
    assert delivery.delivered == [[1, 2]] * calls
    assert delivery.dead_lettered == [([1, 2], f"failed {calls} times, at last: reported as failed")]
    assert delivery.done == [1, 2]


def test_progress_resets_the_retries_of_a_batch() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=1))
    # Every record fails once when it is the first.
    delivery.script = lambda numbers: (
        [number(numbers[0])] if delivery.delivered.count(numbers) == 1 else [*map(number, numbers[1:])]
    )
    delivery.run(batch(3))
    assert delivery.dead_lettered == []
    assert delivery.done == [1, 2, 3]


def test_records_are_retried_forever_without_a_limit() -> None:
    delivery = Delivery()
    delivery.script = lambda numbers: [number(numbers[0])] if len(delivery.delivered) < 200 else ()
    delivery.run(batch(1))
    assert (len(delivery.delivered), delivery.dead_lettered, delivery.done) == (200, [], [1])


def test_records_older_than_the_maximum_age_are_dead_lettered_without_an_attempt() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60))
    delivery.run(batch(4, age_seconds=[90, 61, 60, 5]))
    assert delivery.dead_lettered == [([1, 2], "older than the maximum record age")]
    assert delivery.delivered == [[3, 4]]
    assert delivery.done == [1, 2, 3, 4]


def test_records_that_expire_during_retries_are_dead_lettered() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60))
    delivery.script = lambda numbers: [number(numbers[0])] if 1 in numbers else ()
    delivery.run(batch(2, age_seconds=[50]))
    assert delivery.dead_lettered == [([1], "older than the maximum record age")]
    assert delivery.delivered[-1] == [2]
    assert delivery.done == [1, 2]


@pytest.mark.parametrize(
    ("limits", "ages"),
    [(Limits(maximum_retry_attempts=0), ()), (Limits(maximum_record_age_seconds=10), (20,))],
    ids=["attempts", "age"],
)
def test_records_that_cannot_be_dead_lettered_are_not_acknowledged(limits: Limits, ages: tuple[int, ...]) -> None:
    delivery = Delivery(limits, on_failure=OSError("disk full"))
    delivery.script = lambda numbers: [number(numbers[0])]
    with pytest.raises(OSError, match="disk full"):
        delivery.run(batch(1, ages))
    assert delivery.done == []


def test_records_are_not_discarded_without_an_on_failure_destination() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=0), on_failure=False)
    delivery.script = lambda numbers: [number(numbers[0])]
    with pytest.raises(DynadexError, match=r"Cannot discard 1 stream records.*on-failure destination"):
        delivery.run(batch(1))
    assert delivery.done == []


def test_error_that_is_not_retryable_is_raised_and_the_position_is_kept() -> None:
    rejected = SearchError("write to index", "songs", "security_exception", status=403)
    delivery = Delivery(Limits(maximum_retry_attempts=0))

    def script(_: list[int]) -> Sequence[str]:
        if len(delivery.delivered) == 1:
            return [number(3)]
        raise rejected

    delivery.mapping = EventSourceMapping(delivery._handle, delivery.clock, Limits(), delivery._dead_letter)
    delivery.script = script
    with pytest.raises(SearchError) as caught:
        delivery.run(batch(4))
    assert caught.value is rejected
    assert (delivery.done, delivery.dead_lettered) == ([1, 2], [])


class TestLambdaHandler:
    """The response of a Lambda function, as AWS reads it."""

    @staticmethod
    def failures_in(response: Any) -> Sequence[str]:
        return lambda_handler(lambda *_: response, lambda: None)(batch(2))

    @pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}], ids=str)
    def test_response_without_failures_is_success(self, response: Any) -> None:
        assert list(self.failures_in(response)) == []

    def test_failures_are_read_by_their_identifiers(self) -> None:
        response = {"batchItemFailures": [{"itemIdentifier": number(2)}, {"itemIdentifier": number(1)}]}
        assert self.failures_in(response) == [number(2), number(1)]

    @pytest.mark.parametrize("identifier", [None, ""])
    @pytest.mark.parametrize("others", [[], [{"itemIdentifier": number(2)}]], ids=["alone", "next to another"])
    def test_failure_without_an_identifier_fails_the_whole_batch(
        self, identifier: str | None, others: list[dict[str, str]]
    ) -> None:
        responses = iter([{"batchItemFailures": [{"itemIdentifier": identifier}, *others]}, {}])
        events: list[list[int]] = []
        done: list[int] = []

        def function(event: dict[str, Any], context: Any) -> Any:
            assert context == "the context"
            events.append(positions(event["Records"]))
            return next(responses)

        mapping = EventSourceMapping(lambda_handler(function, lambda: "the context"), ManualClock())
        mapping.deliver(batch(3), lambda records: done.extend(positions(records)))
        assert events == [[1, 2, 3], [1, 2, 3]]
        assert done == [1, 2, 3]

    def test_invalid_response_is_a_function_error(self) -> None:
        responses = iter([{"batchItemFailures": [{"itemIdentifier": "rakes"}]}, {}, {}])
        events: list[list[int]] = []

        def function(event: dict[str, Any], context: Any) -> Any:  # noqa: ARG001
            events.append(positions(event["Records"]))
            return next(responses)

        EventSourceMapping(lambda_handler(function, lambda: None), ManualClock()).deliver(batch(2), lambda _: None)
        assert events == [[1, 2], [1], [2]]
