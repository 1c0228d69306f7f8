"""Time as a port, so that tests can own it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the product asks of time."""

    def now_us(self) -> int:
        """Wall-clock time in microseconds since the epoch: for versions."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back: for deadlines."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


def iso(time_us: int) -> str:
    """A time in microseconds since the epoch as an ISO time in UTC, to the millisecond."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds")


class SystemClock:
    """The machine's own time."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: exponential from ``first_seconds`` up to ``longest_seconds``, with full jitter.

    Jitter keeps many writers that met the same trouble from coming back all at once.
    """

    first_seconds: float = 0.1
    longest_seconds: float = 5.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given attempt, counted from 0."""
        ceiling = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt, 30))
        return random.uniform(self.first_seconds / 2, ceiling)
