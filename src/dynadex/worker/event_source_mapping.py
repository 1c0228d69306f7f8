"""The semantics of Lambda's event source mapping: retries, bisecting, partial batch responses, limits.

Drives any handler: the worker's own, in process, or the code of a deployed Lambda function.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from dynadex.clock import Clock
from dynadex.errors import DynadexError
from dynadex.retry import Backoff
from dynadex.source.stream_event import Record, sequence_number, time_us
from dynadex.state.ack_tracker import lowest

_log = logging.getLogger(__name__)

# Takes records; returns the sequence numbers that failed, in any order (empty if every record is processed), or raises.
Handler = Callable[[Sequence[Record]], Sequence[str]]
Acknowledge = Callable[[Sequence[Record]], None]
# Takes records to discard, and the reason. If it cannot store them, it raises, and the records are retried.
OnFailure = Callable[[Sequence[Record], str], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of an event source mapping, named as AWS names them.

    If ``maximum_retry_attempts`` or ``maximum_record_age_seconds`` is None, that limit does not exist.
    """

    bisect_batch_on_function_error: bool = True
    maximum_retry_attempts: int | None = None
    maximum_record_age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _PendingBatch:
    records: Sequence[Record]
    attempts: int = 0
    reason: str = ""


class EventSourceMapping:
    """Delivers batches until every record is processed or discarded."""

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
        """Deliver one batch in order, and call ``acknowledge`` with each part of it that is processed.

        Raises a DynadexError that is not retryable, such as denied access or a missing index; the position is kept.
        """
        pending = deque([_PendingBatch(records)])
        while pending:
            batch = self._without_expired(pending.popleft(), acknowledge)
            if batch.records:
                pending.extendleft(reversed(self._attempt(batch, acknowledge)))

    def _without_expired(self, batch: _PendingBatch, acknowledge: Acknowledge) -> _PendingBatch:
        """Discard the records at the start of a batch that exceed the maximum record age; return the rest."""
        expired = self._count_expired(batch.records)
        if expired and self._discard(batch.records[:expired], "older than the maximum record age", acknowledge):
            return _PendingBatch(batch.records[expired:], batch.attempts, batch.reason)
        return batch

    def _attempt(self, batch: _PendingBatch, acknowledge: Acknowledge) -> list[_PendingBatch]:
        """Call the handler once; return what to deliver next, in order."""
        records, attempts = batch.records, batch.attempts + 1
        raised = False
        try:
            rest, reason = _unfinished(records, self._handler(records)), "reported as failed"
        except DynadexError as error:
            if not error.retryable:
                raise
            rest, reason = records, str(error)
        except Exception as error:  # noqa: BLE001 - a function error: AWS retries every exception
            rest, reason, raised = records, f"{type(error).__name__}: {error}", True
        acknowledge(records[: len(records) - len(rest)])
        if not rest:
            return []
        if raised and self._limits.bisect_batch_on_function_error and len(rest) > 1:
            # Splitting isolates the record that fails. It does not count as an attempt.
            middle = len(rest) // 2
            return [_PendingBatch(rest[:middle], batch.attempts, reason), _PendingBatch(rest[middle:], 0, reason)]
        progressed = len(rest) < len(records)
        max_retries = self._limits.maximum_retry_attempts
        failure = f"failed {attempts} times, at last: {reason}"
        exhausted = not progressed and max_retries is not None and attempts > max_retries
        if exhausted and self._discard(rest, failure, acknowledge):
            return []
        _log.warning(
            f"retrying: attempt {attempts} of {len(rest)} records: {reason}",
            extra={"attempt": attempts, "records": len(rest), "reason": reason},
        )
        self._clock.sleep(self._backoff.pause(attempts - 1))
        # A batch that made progress has all of its retries again.
        return [_PendingBatch(rest, 0 if progressed else attempts, reason)]

    def _count_expired(self, records: Sequence[Record]) -> int:
        """Return how many records at the start of the batch exceed the maximum record age."""
        max_age_seconds = self._limits.maximum_record_age_seconds
        if max_age_seconds is None:
            return 0
        limit_us = self._clock.now_us() - max_age_seconds * 1_000_000
        return sum(1 for _ in takewhile(lambda record: _is_older(record, limit_us), records))

    def _discard(self, records: Sequence[Record], reason: str, acknowledge: Acknowledge) -> bool:
        """Send records to the on-failure destination; False if it is unavailable, so that they must be retried."""
        if self._on_failure is None:
            raise DynadexError(
                "discard", f"{len(records)} stream records", reason, "Set an on-failure destination for them."
            )
        try:
            self._on_failure(records, reason)
        except DynadexError as error:
            if not error.retryable:
                raise
            _log.warning(f"retrying: the records cannot be discarded yet: {error}", extra=error.fields)
            return False
        acknowledge(records)
        return True


def _is_older(record: Record, limit_us: float) -> bool:
    """Whether a record is older than a time. False for a record without a time, which the handler rejects."""
    time = record["dynamodb"].get("ApproximateCreationDateTime")
    return time is not None and time_us(time) < limit_us


def _unfinished(records: Sequence[Record], failed: Sequence[str]) -> Sequence[Record]:
    """The records from the lowest failed one on; all of them if the handler reports a record that is not among them."""
    first = lowest(failed)
    if first is None:
        return ()
    numbers = [sequence_number(record) for record in records]
    return records[numbers.index(first) :] if first in numbers else records
