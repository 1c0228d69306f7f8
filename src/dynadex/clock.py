"""Time as a port, so that tests can own it."""

from __future__ import annotations

import threading
import time
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


class Stopping(BaseException):
    """Raised out of a wait once a command was asked to stop; not an error, and nothing may catch it as one."""


class StoppableClock(SystemClock):
    """System time whose sleep ends at once, by Stopping, when its event is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping
