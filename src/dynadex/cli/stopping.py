"""How a command is stopped: once gently, twice at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STANDARD_ERROR = 2
_STOPPING = (signal.SIGINT, signal.SIGTERM)
# What a shell tells of a process that a signal ended.
_ENDED_BY_SIGNAL = 128


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process at once, with 128 and its number.

    A thread hears the signals. A handler would run in the main thread only, and not while that waits for a lock: the
    signal may have been delivered to another thread, or have come in the moment before the wait.
    """
    stop = threading.Event()
    hears, tells = socket.socketpair()
    with hears, tells:
        tells.setblocking(False)
        fd_before = signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, _leave_it_to_the_thread) for number in _STOPPING}
        listener = threading.Thread(target=_listen, args=(hears, stop), name="signals", daemon=True)
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


def _listen(hears: socket.socket, stop: threading.Event) -> None:
    heard = False
    while told := hears.recv(1):
        number = told[0]
        if number not in _STOPPING:
            continue
        if heard:
            os._exit(_ENDED_BY_SIGNAL + number)
        heard = True
        # Not print(): whoever is being stopped may hold its lock.
        line = f"dynadex: stopping ({signal.Signals(number).name}); once more to stop at once\n"
        os.write(_STANDARD_ERROR, line.encode())
        stop.set()
