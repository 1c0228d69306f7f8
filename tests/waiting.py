"""Waits for real processes, threads and servers.

No test depends on how fast the machine is. A test waits for a condition, with the limit `HANG_SECONDS`, which a test
reaches only if something hangs. `let_pass` is for a minimum time, such as one that a real server measures.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

# One limit for every wait. The timeout of pytest is longer, so that the message of a wait appears first.
HANG_SECONDS = 300.0
_POLL_SECONDS = 0.02

Result = TypeVar("Result")


def wait_for(find: Callable[[], Result | None], what: str, every_seconds: float = _POLL_SECONDS) -> Result:
    """Call ``find`` until its result is true; return the result. Fails after `HANG_SECONDS`."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (result := find()):
        assert time.monotonic() < deadline, f"not within {HANG_SECONDS:g} s: {what}"
        time.sleep(every_seconds)
    return result


def wait_for_event(event: threading.Event, what: str) -> None:
    """Wait until an event is set. Fails after `HANG_SECONDS`."""
    assert event.wait(HANG_SECONDS), f"not within {HANG_SECONDS:g} s: {what}"


def wait_for_end(*threads: threading.Thread) -> None:
    """Wait until threads have ended. Fails after `HANG_SECONDS`."""
    for thread in threads:
        thread.join(HANG_SECONDS)
        assert not thread.is_alive(), f"not within {HANG_SECONDS:g} s: the end of {thread.name}"


def let_pass(seconds: float, is_alive: Callable[[], bool] = lambda: True) -> None:
    """Let at least this time pass, or less if ``is_alive`` becomes false, which the caller then asserts."""
    until = time.monotonic() + seconds
    while is_alive() and time.monotonic() < until:
        time.sleep(min(seconds, _POLL_SECONDS))
