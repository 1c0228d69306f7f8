"""Bulk writes to one index: split by size, retried within a time budget, halved when too large."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from dynadex.clock import Clock
from dynadex.errors import RequestTooLarge, SearchError, SearchUnavailable
from dynadex.index.adaptive_limit import AdaptiveLimit
from dynadex.index.bulk import APPLIED, Outcome, Reply, Write, classify, split_by_bytes
from dynadex.retry import Backoff

# Outcomes that no retry and no other document can change, with the hint of the error they raise.
_FATAL = {
    Outcome.NO_INDEX: "Create it with `dynadex refill`, then start again.",
    Outcome.FORBIDDEN: "Grant this role or user the permission to write to it.",
}


class BulkTarget(Protocol):
    """Operations of the search cluster that the writer uses."""

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        """Send one bulk request to ``index`` and return the items of its reply, in order.

        Raises SearchUnavailable, RequestTooLarge, or SearchError for a request rejected as a whole.
        """
        ...


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """Limits of one bulk request. A 413 reply halves the size that the writer uses from then on."""

    max_bytes: int = 5 * 1024 * 1024
    timeout_seconds: float = 30.0


class Writer:
    """Writes documents in bulk, with retries until a deadline.

    The caller waits while the writer retries, which slows its reading down to what the cluster can take.
    ``on_bulk`` receives the duration in seconds of every request (halves of one count as one) and how many of its
    writes the cluster could not accept. Requests wait for a slot of ``concurrency`` where there is one.
    """

    def __init__(
        self,
        target: BulkTarget,
        clock: Clock,
        limits: WriterLimits | None = None,
        *,
        backoff: Backoff | None = None,
        on_bulk: Callable[[float, int], None] | None = None,
        concurrency: AdaptiveLimit | None = None,
    ) -> None:
        limits = limits or WriterLimits()
        self._target = target
        self._clock = clock
        self._max_bytes = limits.max_bytes
        self._timeout_seconds = limits.timeout_seconds
        self._backoff = backoff or Backoff()
        self._on_bulk = on_bulk
        self._concurrency = concurrency

    def write(self, index: str, writes: Sequence[Write], deadline: float) -> list[Reply]:
        """Send writes until each has an outcome, and return the replies in order.

        A RETRY among them means that the deadline, a reading of ``clock.monotonic()``, came first. Raises SearchError
        when the cluster rejects the request as a whole or the index is missing: then some writes may be applied,
        and which ones is unknown.
        """
        encoded = [write.encoded() for write in writes]
        replies = dict(enumerate(_unsent(len(writes))))
        pending = list(replies)
        for attempt in count():
            replies |= self._send_each(index, encoded, pending, deadline)
            pending = [position for position in pending if replies[position].outcome is Outcome.RETRY]
            pause = self._backoff.pause(attempt)
            if not pending or self._clock.monotonic() + pause >= deadline:
                break
            self._clock.sleep(pause)
        return list(replies.values())

    def write_once(self, index: str, writes: Sequence[Write], deadline: float) -> list[Reply]:
        """Send writes like ``write``, but without retries: for documents built from items that were read.

        An OpenSearch node loses its tombstones when it restarts. A document that was read before the restart and sent
        again after it could restore an item that was deleted in between, so a caller must read the item again.
        """
        encoded = [write.encoded() for write in writes]
        replies = dict(enumerate(_unsent(len(writes))))
        replies |= self._send_each(index, encoded, list(replies), deadline)
        return list(replies.values())

    def _send_each(
        self, index: str, encoded: Sequence[bytes], positions: Sequence[int], deadline: float
    ) -> dict[int, Reply]:
        """Send the writes at these positions once, and return the reply to each that was sent before the deadline.

        The first request is sent even when the deadline has passed.
        """
        replies: dict[int, Reply] = {}
        for number, chunk in enumerate(split_by_bytes([encoded[i] for i in positions], self._max_bytes)):
            if number and self._clock.monotonic() >= deadline:
                break
            sent = [positions[i] for i in chunk]
            chunk_replies = self._send_measured(index, [encoded[i] for i in sent], deadline)
            replies |= dict(zip(sent, chunk_replies, strict=True))
        return replies

    def _send_measured(self, index: str, lines: Sequence[bytes], deadline: float) -> list[Reply]:
        slot = self._concurrency.slot(deadline - self._clock.monotonic()) if self._concurrency else nullcontext(True)
        with slot as acquired:
            if not acquired:
                return _unsent(len(lines))
            started_at = self._clock.monotonic()
            replies = self._send(index, lines, deadline)
            seconds = self._clock.monotonic() - started_at
            not_accepted = sum(reply.outcome is Outcome.RETRY for reply in replies)
            if self._concurrency:
                self._concurrency.record(seconds, not_accepted)
        if self._on_bulk:
            self._on_bulk(seconds, not_accepted)
        return replies

    def _send(self, index: str, lines: Sequence[bytes], deadline: float) -> list[Reply]:
        body = b"".join(lines)
        remaining = max(1.0, deadline - self._clock.monotonic())
        try:
            items = self._target.bulk(index, body, min(self._timeout_seconds, remaining))
        except RequestTooLarge as error:
            return self._send_halves(index, lines, deadline, error)
        except SearchUnavailable as error:
            return [Reply(Outcome.RETRY, error.reason)] * len(lines)
        if len(items) != len(lines):
            reason = f"the number of replies ({len(items)}) differs from the number of writes ({len(lines)})"
            return [Reply(Outcome.RETRY, reason)] * len(lines)
        replies = [classify(item) for item in items]
        fatal = next((reply for reply in replies if reply is not APPLIED and reply.outcome in _FATAL), None)
        if fatal:
            status = 404 if fatal.outcome is Outcome.NO_INDEX else 403
            raise SearchError("write to index", index, fatal.reason, _FATAL[fatal.outcome], status=status)
        return replies

    def _send_halves(self, index: str, lines: Sequence[bytes], deadline: float, error: RequestTooLarge) -> list[Reply]:
        if len(lines) == 1:
            return [Reply(Outcome.REJECTED, f"the document is too large for the cluster: {error.reason}")]
        middle = len(lines) // 2
        self._max_bytes = max(1, min(self._max_bytes, sum(map(len, lines)) // 2))
        return self._send(index, lines[:middle], deadline) + self._send(index, lines[middle:], deadline)


def _unsent(writes: int) -> list[Reply]:
    return [Reply(Outcome.RETRY, "the deadline passed before the write was sent")] * writes
