"""Limit of concurrent bulk requests, adapted to the load that the cluster can handle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

MAX_REQUESTS = 64
# A request that takes longer is close to its timeout: the cluster is overloaded.
SLOW_SECONDS = 10.0


class AdaptiveLimit:
    """Limit shared by every thread that sends bulk requests.

    It starts at ``max_requests``, more than a healthy cluster needs. It is halved when the cluster cannot accept a
    write or a request is slow, and grows by one after as many successful requests in a row as its current value.
    """

    def __init__(self, max_requests: int = MAX_REQUESTS) -> None:
        self._max_requests = max_requests
        self._limit = float(max_requests)
        self._in_flight = 0
        self._changed = threading.Condition()

    @property
    def current(self) -> int:
        """Number of requests that may be in flight."""
        return int(self._limit)

    @contextmanager
    def slot(self, max_wait_seconds: float) -> Iterator[bool]:
        """Wait for a slot and hold it for one request. Yields False if none became free in time."""
        with self._changed:
            acquired = self._changed.wait_for(self._has_room, min(max(0.0, max_wait_seconds), threading.TIMEOUT_MAX))
            self._in_flight += acquired
        try:
            yield acquired
        finally:
            with self._changed:
                self._in_flight -= acquired
                self._changed.notify_all()

    def record(self, seconds: float, not_accepted: int) -> None:
        """Adapt the limit to a request that still holds its slot.

        Args:
            seconds: Duration of the request.
            not_accepted: Writes in it that the cluster could not accept.
        """
        with self._changed:
            if not_accepted or seconds > SLOW_SECONDS:
                # Half of what is in flight: a limit far above that would take many halvings to have an effect.
                self._limit = max(1.0, min(self._limit, self._in_flight) / 2)
            else:
                self._limit = min(self._max_requests, self._limit + 1 / self._limit)

    def _has_room(self) -> bool:
        return self._in_flight < self.current
