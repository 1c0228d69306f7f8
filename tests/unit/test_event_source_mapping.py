"""Delivering a batch the way AWS's event source mapping does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from dynadex.errors import DynadexError, SearchError, SearchUnavailable
from dynadex.retry import Backoff
from dynadex.source.stream_event import Record
from dynadex.testing import ManualClock
from dynadex.worker.event_source_mapping import EventSourceMapping, Limits, lambda_handler

FIRST = 100_000_000_000_000_000_000


def batch(count: int, age_seconds: Sequence[int] = (), now_us: int = 1_700_000_000_000_000) -> list[Record]:
    """Records 1, 2, ...; each as old as told."""
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
    """One batch delivered to a handler that fails as its script says; what was handed out, done and given up on."""

    def __init__(self, limits: Limits | None = None, on_failure: bool | Exception = True) -> None:
        self.clock = ManualClock()
        self.handed: list[list[int]] = []
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
        self.handed.append(positions(records))
        return self.script(positions(records))

    def _dead_letter(self, records: Sequence[Record], reason: str) -> None:
        if isinstance(self._on_failure, Exception):
            raise self._on_failure
        self.dead_lettered.append((positions(records), reason))


def raise_(error: Exception) -> Any:
    raise error


def poisoned(*culprits: int, error: Exception | None = None) -> Callable[[list[int]], Sequence[str]]:
    """A function that raises whenever it is given one of these records."""
    return lambda given: raise_(error or RuntimeError("boom")) if set(culprits) & set(given) else ()


def test_a_batch_that_succeeds_is_delivered_once(logged: list[str]) -> None:
    delivery = Delivery()
    delivery.run(batch(3))
    assert delivery.handed == [[1, 2, 3]]
    assert delivery.done == [1, 2, 3]
    assert logged == []


def test_nothing_is_delivered_for_an_empty_batch() -> None:
    delivery = Delivery()
    delivery.run([])
    assert (delivery.handed, delivery.done) == ([], [])


def test_what_came_before_the_failed_record_is_done_and_the_rest_is_delivered_again(logged: list[str]) -> None:
    delivery = Delivery()
    delivery.script = lambda _: [number(3)] if len(delivery.handed) == 1 else ()
    delivery.run(batch(4))
    assert delivery.handed == [[1, 2, 3, 4], [3, 4]]
    assert delivery.done == [1, 2, 3, 4]
    assert logged == ["retrying: attempt 1 of 2 records: reported as failed"]


def test_of_several_failed_records_the_lowest_counts() -> None:
    delivery = Delivery()
    delivery.script = lambda _: [number(4), number(2)] if len(delivery.handed) == 1 else ()
    delivery.run(batch(4))
    assert delivery.handed == [[1, 2, 3, 4], [2, 3, 4]]


@pytest.mark.parametrize("unknown", [number(77), "0"])
def test_a_failed_record_that_was_not_in_the_batch_fails_all_of_it(unknown: str) -> None:
    delivery = Delivery()
    delivery.script = lambda _: [unknown] if len(delivery.handed) == 1 else ()
    delivery.run(batch(2))
    assert delivery.handed == [[1, 2], [1, 2]]
    assert delivery.done == [1, 2]


def test_nothing_is_done_before_the_handler_says_so() -> None:
    delivery = Delivery()
    done_before: list[list[int]] = []

    def script(given: list[int]) -> Sequence[str]:
        done_before.append(list(delivery.done))
        return [number(given[1])] if len(given) > 1 else ()

    delivery.script = script
    delivery.run(batch(3))
    assert done_before == [[], [1], [1, 2]]
    assert delivery.done == [1, 2, 3]


def test_a_function_that_raises_is_given_ever_smaller_batches_until_its_culprit_is_alone() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=2))
    delivery.script = poisoned(6)
    delivery.run(batch(8))
    assert delivery.handed == [
        [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [5, 6, 7, 8], [5, 6], [5], [6], [6], [6], [7, 8],
    ]  # fmt: skip
    assert delivery.dead_lettered == [([6], "failed 3 times, at last: RuntimeError: boom")]
    assert delivery.done == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_order_is_kept_while_a_batch_is_split() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=0))
    delivery.script = poisoned(2, 3, 7)
    delivery.run(batch(9))
    assert delivery.done == list(range(1, 10))
    assert [dead_lettered for dead_lettered, _ in delivery.dead_lettered] == [[2], [3], [7]]
    successes = [given for given in delivery.handed if not {2, 3, 7} & set(given)]
    assert [position for given in successes for position in given] == [1, 4, 5, 6, 8, 9]


def test_without_bisecting_a_batch_that_raises_is_delivered_whole() -> None:
    delivery = Delivery(Limits(bisect_batch_on_function_error=False, maximum_retry_attempts=1))
    delivery.script = poisoned(2)
    delivery.run(batch(3))
    assert delivery.handed == [[1, 2, 3], [1, 2, 3]]
    assert delivery.dead_lettered == [([1, 2, 3], "failed 2 times, at last: RuntimeError: boom")]


def test_a_backend_that_is_away_is_waited_for_without_splitting(logged: list[str]) -> None:
    delivery = Delivery()
    away = SearchUnavailable("write to index", "songs", "connection refused")
    delivery.script = lambda _: raise_(away) if len(delivery.handed) < 4 else ()
    began = delivery.clock.monotonic()
    delivery.run(batch(4))
    assert delivery.handed == [[1, 2, 3, 4]] * 4
    assert delivery.done == [1, 2, 3, 4]
    assert delivery.clock.monotonic() - began >= 1.5
    assert logged[-1] == "retrying: attempt 3 of 4 records: Cannot write to index songs: connection refused."


@pytest.mark.parametrize(("most", "calls"), [(0, 1), (1, 2), (3, 4)])
def test_records_are_given_up_on_after_their_retries(most: int, calls: int) -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=most))
    delivery.script = lambda given: [number(given[0])]
    delivery.run(batch(2))
    assert delivery.handed == [[1, 2]] * calls
    assert delivery.dead_lettered == [([1, 2], f"failed {calls} times, at last: reported as failed")]
    assert delivery.done == [1, 2]


def test_a_batch_that_gets_on_has_its_retries_anew() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=1))
    # Every record fails once when it is the first.
    delivery.script = lambda given: (
        [number(given[0])] if delivery.handed.count(given) == 1 else [*map(number, given[1:])]
    )
    delivery.run(batch(3))
    assert delivery.dead_lettered == []
    assert delivery.done == [1, 2, 3]


def test_without_a_limit_nothing_is_ever_given_up_on() -> None:
    delivery = Delivery()
    delivery.script = lambda given: [number(given[0])] if len(delivery.handed) < 200 else ()
    delivery.run(batch(1))
    assert (len(delivery.handed), delivery.dead_lettered, delivery.done) == (200, [], [1])


def test_records_older_than_the_maximum_age_are_given_up_on_unseen() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60))
    delivery.run(batch(4, age_seconds=[90, 61, 60, 5]))
    assert delivery.dead_lettered == [([1, 2], "older than the maximum record age")]
    assert delivery.handed == [[3, 4]]
    assert delivery.done == [1, 2, 3, 4]


def test_records_that_grow_too_old_while_they_are_retried_are_given_up_on() -> None:
    delivery = Delivery(Limits(maximum_record_age_seconds=60))
    delivery.script = lambda given: [number(given[0])] if 1 in given else ()
    delivery.run(batch(2, age_seconds=[50]))
    assert delivery.dead_lettered == [([1], "older than the maximum record age")]
    assert delivery.handed[-1] == [2]
    assert delivery.done == [1, 2]


@pytest.mark.parametrize(
    ("limits", "ages"),
    [(Limits(maximum_retry_attempts=0), ()), (Limits(maximum_record_age_seconds=10), (20,))],
    ids=["attempts", "age"],
)
def test_records_that_cannot_be_kept_are_not_given_up_on(limits: Limits, ages: tuple[int, ...]) -> None:
    delivery = Delivery(limits, on_failure=OSError("disk full"))
    delivery.script = lambda given: [number(given[0])]
    with pytest.raises(OSError, match="disk full"):
        delivery.run(batch(1, ages))
    assert delivery.done == []


def test_records_are_not_given_up_on_without_a_place_for_them() -> None:
    delivery = Delivery(Limits(maximum_retry_attempts=0), on_failure=False)
    delivery.script = lambda given: [number(given[0])]
    with pytest.raises(DynadexError, match=r"Cannot give up on 1 stream records.*on-failure destination"):
        delivery.run(batch(1))
    assert delivery.done == []


def test_what_must_be_mended_first_is_raised_with_the_position_kept() -> None:
    refused = SearchError("write to index", "songs", "security_exception", status=403)
    delivery = Delivery(Limits(maximum_retry_attempts=0))

    def script(_: list[int]) -> Sequence[str]:
        if len(delivery.handed) == 1:
            return [number(3)]
        raise refused

    delivery.mapping = EventSourceMapping(delivery._handle, delivery.clock, Limits(), delivery._dead_letter)
    delivery.script = script
    with pytest.raises(SearchError) as caught:
        delivery.run(batch(4))
    assert caught.value is refused
    assert (delivery.done, delivery.dead_lettered) == ([1, 2], [])


class TestLambdaHandler:
    """A Lambda function's answer, as AWS reads it."""

    @staticmethod
    def answering(answer: Any) -> Sequence[str]:
        return lambda_handler(lambda *_: answer, lambda: None)(batch(2))

    @pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}], ids=str)
    def test_no_failures_are_success(self, answer: Any) -> None:
        assert list(self.answering(answer)) == []

    def test_failures_are_their_identifiers(self) -> None:
        answer = {"batchItemFailures": [{"itemIdentifier": number(2)}, {"itemIdentifier": number(1)}]}
        assert self.answering(answer) == [number(2), number(1)]

    @pytest.mark.parametrize("identifier", [None, ""])
    @pytest.mark.parametrize("others", [[], [{"itemIdentifier": number(2)}]], ids=["alone", "beside another"])
    def test_a_failure_without_identifier_fails_the_whole_batch(
        self, identifier: str | None, others: list[dict[str, str]]
    ) -> None:
        answers = iter([{"batchItemFailures": [{"itemIdentifier": identifier}, *others]}, {}])
        events: list[list[int]] = []
        done: list[int] = []

        def function(event: dict[str, Any], context: Any) -> Any:
            assert context == "the context"
            events.append(positions(event["Records"]))
            return next(answers)

        mapping = EventSourceMapping(lambda_handler(function, lambda: "the context"), ManualClock())
        mapping.deliver(batch(3), lambda records: done.extend(positions(records)))
        assert events == [[1, 2, 3], [1, 2, 3]]
        assert done == [1, 2, 3]

    def test_an_answer_that_cannot_be_read_is_a_function_error(self) -> None:
        answers = iter([{"batchItemFailures": [{"itemIdentifier": "rakes"}]}, {}, {}])
        events: list[list[int]] = []

        def function(event: dict[str, Any], context: Any) -> Any:  # noqa: ARG001
            events.append(positions(event["Records"]))
            return next(answers)

        EventSourceMapping(lambda_handler(function, lambda: None), ManualClock()).deliver(batch(2), lambda _: None)
        assert events == [[1, 2], [1], [2]]
