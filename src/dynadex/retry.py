"""Retry transient errors for as long as they last, and log their reason."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TypeVar

from dynadex.clock import Clock
from dynadex.errors import DynadexError

_LOG_SECONDS = 5.0

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts: exponential from ``first_seconds`` up to ``max_seconds``, with full jitter.

    Jitter keeps writers that failed at the same moment from retrying at the same moment.
    """

    first_seconds: float = 0.1
    max_seconds: float = 5.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the given attempt, counted from 0."""
        ceiling = min(self.max_seconds, self.first_seconds * 2.0 ** min(attempt, 30))
        return random.uniform(self.first_seconds / 2, ceiling)


class Retrier:
    """Retries calls until they succeed. Threads may share a retrier.

    The waits are those of ``clock``, which may end them early (see `StoppableClock`). ``log`` is the logger of the
    module that waits: it receives a warning at most every 5 seconds, regardless of the number of threads.
    """

    def __init__(self, clock: Clock, log: logging.Logger, backoff: Backoff | None = None) -> None:
        self.clock = clock
        self._log = log
        self._backoff = backoff or Backoff(first_seconds=0.2, max_seconds=10.0)
        self._log_at = float("-inf")

    def __call__(self, call: Callable[[], Result], max_pause_seconds: float = inf) -> Result:
        """Call until it succeeds; return its result. Raises an error that is not retryable.

        ``max_pause_seconds`` limits the pause between two attempts.
        """
        failures = 0
        while True:
            try:
                return call()
            except DynadexError as error:
                self.wait(error, failures, max_pause_seconds)
                failures += 1

    def wait(self, error: DynadexError, failures: int, max_pause_seconds: float = inf) -> None:
        """Log an error and wait before the next attempt. Raises the error if it is not retryable.

        ``failures`` is the number of failed attempts before this one.
        """
        self.log(error)
        self.clock.sleep(min(self._backoff.pause(failures), max_pause_seconds))

    def log(self, error: DynadexError) -> None:
        """Log an error, at most every 5 seconds. Raises the error if it is not retryable."""
        if not error.retryable:
            raise error
        now = self.clock.monotonic()
        if now >= self._log_at:
            self._log_at = now + _LOG_SECONDS
            self._log.warning("waiting: %s", error, extra=error.fields)
