"""How a command is stopped: once gently, twice at once."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_STANDARD_ERROR = 2
_SHOW_CURSOR = "\x1b[?25h"
_STOPPING = (signal.SIGINT, signal.SIGTERM)
# What a shell tells of a process that a signal ended.
_ENDED_BY_SIGNAL = 128
_NOT_ENDED = 1


@contextmanager
def stop_on_signals(
    max_seconds: float | None = None, as_line: Callable[[str], str] = "dynadex: {}".format
) -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process at once, with 128 and its number.

    With ``max_seconds``, the process ends by itself, with 1, if the block has not ended so long after the first:
    for one of which nothing is lost by that. ``as_line`` makes a line of what is told on standard error.

    A thread hears the signals. A handler would run in the main thread only, and not while that waits for a lock: the
    signal may have been delivered to another thread, or have come in the moment before the wait.
    """
    stop = threading.Event()
    hears, tells = socket.socketpair()
    with hears, tells:
        tells.setblocking(False)
        fd_before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, _leave_it_to_the_thread) for number in _STOPPING}
        listener = threading.Thread(
            target=_listen, args=(hears, stop, max_seconds, as_line), name="signals", daemon=True
        )
        listener.start()
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(fd_before)
            tells.close()
            listener.join()


def _leave_it_to_the_thread(_number: int, _frame: FrameType | None) -> None:
    """Python tells a file descriptor only of signals that have a handler."""


def _listen(
    hears: socket.socket, stop: threading.Event, max_seconds: float | None, as_line: Callable[[str], str]
) -> None:
    heard = False
    until: float | None = None
    while True:
        try:
            hears.settimeout(until and max(0.001, until - time.monotonic()))
            told = hears.recv(1)
        except TimeoutError:
            _write(as_line("not waiting any longer for what hangs: what is not acknowledged will be read again"))
            os._exit(_NOT_ENDED)
        if not told:
            return
        number = told[0]
        if number not in _STOPPING:
            continue
        if heard:
            if os.isatty(_STANDARD_ERROR):
                # A progress bar hides the cursor, and nobody is left to show it again.
                _write(_SHOW_CURSOR)
            os._exit(_ENDED_BY_SIGNAL + number)
        heard = True
        stop.set()
        until = max_seconds and time.monotonic() + max_seconds
        _write(as_line(f"stopping ({signal.Signals(number).name}); once more to stop at once"))


def _write(line: str) -> None:
    """Not by print(): whoever is being stopped may hold its lock. And not where nobody reads any more, or reads late:
    neither may keep a process from being stopped."""
    with suppress(OSError):
        if select.select((), (_STANDARD_ERROR,), (), 0)[1]:
            os.write(_STANDARD_ERROR, f"{line}\n".encode())
