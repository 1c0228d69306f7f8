"""A clock that moves only when told to."""

from __future__ import annotations

MICROSECONDS = 1_000_000


class ManualClock:
    """Time as a number: ``sleep`` moves it, nothing else passes it."""

    def __init__(self, start_us: int = 1_700_000_000 * MICROSECONDS) -> None:
        self._now_us = start_us

    def now_us(self) -> int:
        return self._now_us

    def monotonic(self) -> float:
        return self._now_us / MICROSECONDS

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now_us += round(seconds * MICROSECONDS)
