"""Sends writes to one index: in bulks cut by bytes, retried within a time budget, halved when too large."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import count
from typing import Any, Protocol

from dynadex.clock import Clock
from dynadex.errors import RequestTooLarge, SearchError, SearchUnavailable
from dynadex.index.adaptive_limit import AdaptiveLimit
from dynadex.index.bulk import APPLIED, Outcome, Reply, Write, classify, cut
from dynadex.retry import Backoff

# What no item is at fault for and no patience mends, and what to do about it.
_STOPS = {
    Outcome.NO_INDEX: "Create it with `dynadex refill`, then start again.",
    Outcome.FORBIDDEN: "Give this role or user the right to write to it.",
}


class BulkTarget(Protocol):
    """What the writer needs of a search cluster."""

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        """Send one bulk request to ``index``; the reply's items, in order.

        Raises SearchUnavailable, RequestTooLarge, or SearchError for a request refused as a whole.
        """
        ...


class Writer:
    """Bulk writes with bounded patience.

    ``max_bytes`` bounds one request; a 413 halves the bound for good. The writer's waiting is what slows the
    reader down: nothing more is read while it waits. ``on_bulk`` is told of every request, halved ones as one: how
    many seconds it took, and how many of its writes the cluster could not take now.
    """

    def __init__(
        self,
        target: BulkTarget,
        clock: Clock,
        *,
        max_bytes: int = 5 * 1024 * 1024,
        request_timeout_seconds: float = 30.0,
        backoff: Backoff | None = None,
        on_bulk: Callable[[float, int], None] | None = None,
        turns: AdaptiveLimit | None = None,
    ) -> None:
        self._target = target
        self._turns = turns
        self._on_bulk = on_bulk
        self._clock = clock
        self._max_bytes = max_bytes
        self._request_timeout_seconds = request_timeout_seconds
        self._backoff = backoff or Backoff()

    def write(self, index: str, writes: Sequence[Write], deadline: float) -> list[Reply]:
        """What became of each write, in order. A RETRY left in it means that the deadline came first.

        ``deadline`` is a reading of ``clock.monotonic()``. Raises SearchError when the cluster refuses the
        request as a whole or the index is missing: then nothing is known to be written.
        """
        encoded = [write.encoded() for write in writes]
        replies = _unsent(len(writes))
        pending = list(range(len(writes)))
        for attempt in count():
            pending = self._pass(index, encoded, pending, replies, deadline)
            pause = self._backoff.pause(attempt)
            if not pending or self._clock.monotonic() + pause >= deadline:
                break
            self._clock.sleep(pause)
        return replies

    def write_once(self, index: str, writes: Sequence[Write], deadline: float) -> list[Reply]:
        """As ``write``, but whatever is not taken at once is left as RETRY: for what was read from the table.

        An OpenSearch that restarts forgets its tombstones, so that what was read before, and sent again after, could
        bring back an item that was deleted in between. Who wrote it must read it anew.
        """
        replies = _unsent(len(writes))
        self._pass(index, [write.encoded() for write in writes], list(range(len(writes))), replies, deadline)
        return replies

    def _pass(
        self, index: str, encoded: Sequence[bytes], pending: Sequence[int], replies: list[Reply], deadline: float
    ) -> list[int]:
        """Send what is pending once, in chunks, the first of them in any case; what is pending still."""
        for number, chunk in enumerate(cut([encoded[i] for i in pending], self._max_bytes)):
            if number and self._clock.monotonic() >= deadline:
                break
            positions = [pending[i] for i in chunk]
            answers = self._send_measured(index, [encoded[i] for i in positions], deadline)
            for position, reply in zip(positions, answers, strict=True):
                replies[position] = reply
        return [i for i in pending if replies[i].outcome is Outcome.RETRY]

    def _send_measured(self, index: str, lines: Sequence[bytes], deadline: float) -> list[Reply]:
        turn = self._turns.one(deadline - self._clock.monotonic()) if self._turns else nullcontext(True)
        with turn as taken:
            if not taken:
                return _unsent(len(lines))
            began = self._clock.monotonic()
            replies = self._send(index, lines, deadline)
            seconds = self._clock.monotonic() - began
            not_taken = sum(reply.outcome is Outcome.RETRY for reply in replies)
            if self._turns:
                self._turns.note(seconds, not_taken)
        if self._on_bulk:
            self._on_bulk(seconds, not_taken)
        return replies

    def _send(self, index: str, lines: Sequence[bytes], deadline: float) -> list[Reply]:
        body = b"".join(lines)
        remaining = max(1.0, deadline - self._clock.monotonic())
        try:
            items = self._target.bulk(index, body, min(self._request_timeout_seconds, remaining))
        except RequestTooLarge as error:
            return self._send_halves(index, lines, deadline, error)
        except SearchUnavailable as error:
            return [Reply(Outcome.RETRY, error.reason)] * len(lines)
        if len(items) != len(lines):
            return [Reply(Outcome.RETRY, f"{len(items)} replies to {len(lines)} writes")] * len(lines)
        replies = [classify(item) for item in items]
        stopped = next((reply for reply in replies if reply is not APPLIED and reply.outcome in _STOPS), None)
        if stopped:
            status = 404 if stopped.outcome is Outcome.NO_INDEX else 403
            raise SearchError("write to index", index, stopped.reason, _STOPS[stopped.outcome], status=status)
        return replies

    def _send_halves(self, index: str, lines: Sequence[bytes], deadline: float, error: RequestTooLarge) -> list[Reply]:
        if len(lines) == 1:
            return [Reply(Outcome.REJECTED, f"the document is too large for the cluster: {error.reason}")]
        middle = len(lines) // 2
        self._max_bytes = max(1, min(self._max_bytes, sum(map(len, lines)) // 2))
        return self._send(index, lines[:middle], deadline) + self._send(index, lines[middle:], deadline)


def _unsent(writes: int) -> list[Reply]:
    return [Reply(Outcome.RETRY, "the time budget was spent before it was sent")] * writes
