"""Tracking of how far a shard is acknowledged. Pure; only this module decides which position a checkpoint may hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class AckTracker:
    """Positions that are tracked in order and acknowledged in any order.

    ``position`` is the highest contiguous one: everything up to it is acknowledged. A checkpoint at a later position
    would lose, after a crash, the changes before it that were still in flight.
    """

    def __init__(self, position: str | None = None) -> None:
        self.position = position
        self._in_flight: deque[str] = deque()
        self._acknowledged_early: set[str] = set()

    def track(self, positions: Iterable[str]) -> None:
        """Add positions in flight, in order, after all earlier ones."""
        self._in_flight.extend(positions)

    def acknowledge(self, positions: Iterable[str]) -> None:
        """Mark positions as done, and advance ``position`` as far as no gap is left."""
        self._acknowledged_early.update(positions)
        while self._in_flight and self._in_flight[0] in self._acknowledged_early:
            self.position = self._in_flight.popleft()
            self._acknowledged_early.remove(self.position)

    @property
    def in_flight(self) -> int:
        """Number of positions that ``position`` has not passed."""
        return len(self._in_flight)


def lowest(failed: Iterable[str]) -> str | None:
    """Return the failed sequence number from which a batch must be retried, or None when nothing failed.

    Sequence numbers are compared as integers: as text, "9" comes after "10", and a failed record would count as done.
    """
    return min(failed, key=int, default=None)
