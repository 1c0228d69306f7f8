"""Time as a port, so that tests control it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The functions of time that dynadex uses."""

    def now_us(self) -> int:
        """Return the wall-clock time in microseconds since the epoch. Versions are derived from it."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never decrease. Deadlines are derived from it."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait for the given number of seconds."""
        ...


def iso(time_us: int) -> str:
    """Return a time in microseconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds")


class SystemClock:
    """The clock of the machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Stopping(BaseException):
    """Ends a wait of a command that received a stop signal. Not an error: no ``except Exception`` may catch it."""


class StoppableClock(SystemClock):
    """The clock of the machine, whose sleep raises Stopping as soon as its event is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping
