"""Waiting for what may pass: for as long as it takes, telling of it now and then."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from dynadex.clock import Clock
from dynadex.errors import DynadexError

_TELL_SECONDS = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: exponential from ``first_seconds`` up to ``max_seconds``, with full jitter.

    Jitter keeps many writers that met the same trouble from coming back all at once.
    """

    first_seconds: float = 0.1
    max_seconds: float = 5.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given attempt, counted from 0."""
        ceiling = min(self.max_seconds, self.first_seconds * 2.0 ** min(attempt, 30))
        return random.uniform(self.first_seconds / 2, ceiling)


class Retrier:
    """Calls until it works. ``clock`` decides whether a wait can be ended early; threads may share one Patience."""

    def __init__(self, say: Callable[[str], None], clock: Clock, backoff: Backoff | None = None) -> None:
        self._say = say
        self._clock = clock
        self._backoff = backoff or Backoff(first_seconds=0.2, max_seconds=10.0)
        self._tell_at = float("-inf")

    def __call__(self, call: Callable[[], Result], max_pause_seconds: float = inf) -> Result:
        """What the call returns, once it does; raises what cannot pass."""
        failures = 0
        while True:
            try:
                return call()
            except DynadexError as error:
                self.tell(error)
                self._clock.sleep(min(self._backoff.pause(failures), max_pause_seconds))
                failures += 1

    def tell(self, error: DynadexError) -> None:
        """Say what is waited for, but only every few seconds however many threads wait; raises what cannot pass."""
        if not error.retryable:
            raise error
        now = self._clock.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_SECONDS
            self._say(f"waiting: {error}")
