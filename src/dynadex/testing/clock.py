"""A clock that only the test moves."""

from __future__ import annotations

MICROSECONDS = 1_000_000


class ManualClock:
    """Clock whose time passes only by ``sleep`` and ``advance``. Implements `dynadex.clock.Clock`."""

    def __init__(self, start_us: int = 1_700_000_000 * MICROSECONDS) -> None:
        """Create a clock.

        Args:
            start_us: Initial time, in microseconds since the epoch.
        """
        self._now_us = start_us

    def now_us(self) -> int:
        """Return the wall-clock time, in microseconds since the epoch."""
        return self._now_us

    def monotonic(self) -> float:
        """Return the same time in seconds, for deadlines."""
        return self._now_us / MICROSECONDS

    def sleep(self, seconds: float) -> None:
        """Advance the time by ``seconds``, without waiting."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Advance the time.

        Args:
            seconds: How far, to the microsecond.
        """
        self._now_us += round(seconds * MICROSECONDS)
