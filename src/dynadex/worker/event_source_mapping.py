"""What AWS's event source mapping does with a batch, done here: retries, bisecting, partial responses, limits.

It drives any handler: the worker's own, in process, or the code of a deployed Lambda function.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from dynadex.clock import Clock
from dynadex.errors import DynadexError
from dynadex.retry import Backoff
from dynadex.source.stream_event import Record, sequence_number, time_us
from dynadex.state.ack_tracker import lowest

_log = logging.getLogger(__name__)

# Takes records; returns the sequence numbers that failed (any order; none means all are done), or raises.
Handler = Callable[[Sequence[Record]], Sequence[str]]
Acknowledge = Callable[[Sequence[Record]], None]
# Takes records that are given up on, and why. Raises when it cannot keep them; then they are not given up on.
OnFailure = Callable[[Sequence[Record], str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """AWS's settings of an event source mapping, by its names.

    ``maximum_retry_attempts`` and ``maximum_record_age_seconds`` None: records are never given up on.
    """

    bisect_batch_on_function_error: bool = True
    maximum_retry_attempts: int | None = None
    maximum_record_age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Delivery:
    records: Sequence[Record]
    attempts: int = 0
    reason: str = ""


class EventSourceMapping:
    """Delivers batches until every record is done or given up on."""

    def __init__(
        self,
        handler: Handler,
        clock: Clock,
        limits: Limits | None = None,
        on_failure: OnFailure | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._limits = limits or Limits()
        self._on_failure = on_failure
        self._backoff = backoff or Backoff(first_seconds=0.2, max_seconds=10.0)

    def deliver(self, records: Sequence[Record], acknowledge: Acknowledge) -> None:
        """Deliver one batch, in order; ``acknowledge`` is called with every part of it that is done.

        A DynadexError that cannot pass (refused credentials, a missing index) is raised: the position stays.
        """
        work = deque([_Delivery(records)])
        while work:
            delivery = work.popleft()
            too_old = self._too_old(delivery.records)
            if too_old and self._give_up(delivery.records[:too_old], "older than the maximum record age", acknowledge):
                delivery = _Delivery(delivery.records[too_old:], delivery.attempts, delivery.reason)
            if not delivery.records:
                continue
            again = self._attempt(delivery, acknowledge)
            if again:
                work.extendleft(reversed(again))

    def _attempt(self, delivery: _Delivery, acknowledge: Acknowledge) -> list[_Delivery]:
        """One call of the handler; what must be delivered again, in order."""
        records, attempts = delivery.records, delivery.attempts + 1
        raised = False
        try:
            rest, reason = _unfinished(records, self._handler(records)), "reported as failed"
        except DynadexError as error:
            if not error.retryable:
                raise
            rest, reason = records, str(error)
        except Exception as error:  # noqa: BLE001 - a function error: AWS retries whatever was raised
            rest, reason, raised = records, f"{type(error).__name__}: {error}", True
        acknowledge(records[: len(records) - len(rest)])
        if not rest:
            return []
        most = self._limits.maximum_retry_attempts
        if raised and self._limits.bisect_batch_on_function_error and len(rest) > 1:
            # Splitting finds the record at fault; it does not count as an attempt.
            middle = len(rest) // 2
            return [_Delivery(rest[:middle], delivery.attempts, reason), _Delivery(rest[middle:], 0, reason)]
        got_on = len(rest) < len(records)
        failed = f"failed {attempts} times, at last: {reason}"
        if not got_on and most is not None and attempts > most and self._give_up(rest, failed, acknowledge):
            return []
        _log.warning(
            f"retrying: attempt {attempts} of {len(rest)} records: {reason}",
            extra={"attempt": attempts, "records": len(rest), "reason": reason},
        )
        self._clock.sleep(self._backoff.pause(attempts - 1))
        # What is left of a batch that got on has all its retries before it.
        return [_Delivery(rest, 0 if got_on else attempts, reason)]

    def _too_old(self, records: Sequence[Record]) -> int:
        oldest = self._limits.maximum_record_age_seconds
        if oldest is None:
            return 0
        limit_us = self._clock.now_us() - oldest * 1_000_000
        return sum(1 for _ in takewhile(lambda record: _is_older(record, limit_us), records))

    def _give_up(self, records: Sequence[Record], reason: str, acknowledge: Acknowledge) -> bool:
        """Pass records on to where failures go; False when they cannot be kept there now, so they go on being tried."""
        if self._on_failure is None:
            raise DynadexError(
                "give up on", f"{len(records)} stream records", reason, "Set an on-failure destination for them."
            )
        try:
            self._on_failure(records, reason)
        except DynadexError as error:
            if not error.retryable:
                raise
            _log.warning(f"retrying: not given up on: {error}", extra=error.fields)
            return False
        acknowledge(records)
        return True


def _is_older(record: Record, limit_us: float) -> bool:
    """Whether a record is from before; one without its time is never too old, whoever handles it will see to it."""
    time = record["dynamodb"].get("ApproximateCreationDateTime")
    return time is not None and time_us(time) < limit_us


def _unfinished(records: Sequence[Record], failed: Sequence[str]) -> Sequence[Record]:
    """The records from the lowest failed one on; all of them when the handler names one that it was not given."""
    first = lowest(failed)
    if first is None:
        return ()
    numbers = [sequence_number(record) for record in records]
    return records[numbers.index(first) :] if first in numbers else records


def lambda_handler(function: Callable[[dict[str, Any], Any], Any], context: Callable[[], Any]) -> Handler:
    """A Lambda function as a handler, its answer read the way AWS reads a partial batch response."""

    def handle(records: Sequence[Record]) -> Sequence[str]:
        reply = function({"Records": list(records)}, context())
        failures = (reply or {}).get("batchItemFailures") or []
        numbers = [one.get("itemIdentifier") for one in failures]
        # A failure without a usable identifier makes the whole batch a failure.
        return [number if number else "0" for number in numbers]

    return handle
