"""How many bulk requests may be under way at once: as many as the cluster takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 64
# A request that takes longer is nearer to a time-out than to an answer in good time: the cluster has too much to do.
SLOW_SECONDS = 10.0


class AdaptiveLimit:
    """A limit that all who share a writer keep to together: halved when the cluster could not take something now, or
    took long; one more once that many requests in a row went well. It starts at what nobody needs."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._limit = float(most)
        self._under_way = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many there may be now."""
        return int(self._limit)

    @contextmanager
    def one(self, max_wait_seconds: float) -> Iterator[bool]:
        """A turn for one request, waited for if need be; False when the wait was too long, and there is none."""
        with self._changed:
            taken = self._changed.wait_for(self._free, min(max(0.0, max_wait_seconds), threading.TIMEOUT_MAX))
            self._under_way += taken
        try:
            yield taken
        finally:
            with self._changed:
                self._under_way -= taken
                self._changed.notify_all()

    def note(self, seconds: float, not_taken: int) -> None:
        """What became of a request, told while its turn lasts: its time, and writes that the cluster did not take."""
        with self._changed:
            if not_taken or seconds > SLOW_SECONDS:
                # Half of what is under way: a limit that nobody reached would have to be halved often to be felt.
                self._limit = max(1.0, min(self._limit, self._under_way) / 2)
            else:
                self._limit = min(self._most, self._limit + 1 / self._limit)

    def _free(self) -> bool:
        return self._under_way < self.limit
