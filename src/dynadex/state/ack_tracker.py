"""How far a shard is acknowledged. Pure; the only judge of what a checkpoint may say."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class AckTracker:
    """Positions handed out in order, acknowledged in any order.

    ``position`` is the highest one below which nothing is open. A checkpoint at a later position would lose, after
    a crash, whatever before it was still under way.
    """

    def __init__(self, position: str | None = None) -> None:
        self.position = position
        self._open: deque[str] = deque()
        self._early: set[str] = set()

    def track(self, positions: Iterable[str]) -> None:
        """These were handed out, in this order, after all earlier ones."""
        self._open.extend(positions)

    def acknowledge(self, positions: Iterable[str]) -> None:
        """These are done, for good."""
        self._early.update(positions)
        while self._open and self._open[0] in self._early:
            self.position = self._open.popleft()
            self._early.remove(self.position)

    @property
    def open(self) -> int:
        """How many are handed out and neither done nor passed."""
        return len(self._open)


def lowest(failed: Iterable[str]) -> str | None:
    """The failed sequence number from which a batch must be retried, or None when nothing failed.

    Compared as integers: as text, "9" would come after "10", and a failed record would count as done.
    """
    return min(failed, key=int, default=None)
