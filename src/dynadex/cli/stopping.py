"""Stop a command on SIGINT and SIGTERM: gracefully on the first signal, immediately on the second."""

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
# The exit code by which a shell reports that a signal ended a process, minus the number of the signal.
_ENDED_BY_SIGNAL = 128
_NOT_ENDED = 1


@contextmanager
def stop_on_signals(
    max_seconds: float | None = None, as_line: Callable[[str], str] = "dynadex: {}".format
) -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and Ctrl-C set. A second signal ends the process, with 128 plus its number.

    With ``max_seconds``, the process also ends, with exit code 1, if the block has not ended that long after the first
    signal. Use it only where that loses no data. ``as_line`` formats the messages on standard error.

    A thread receives the signals. A handler would run only in the main thread, and not while the main thread waits for
    a lock: the signal may be delivered to another thread, or arrive just before the wait.
    """
    stop = threading.Event()
    receiver, sender = socket.socketpair()
    with receiver, sender:
        sender.setblocking(False)
        fd_before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, _leave_to_the_thread) for number in _STOPPING}
        listener = threading.Thread(
            target=_listen, args=(receiver, stop, max_seconds, as_line), name="signals", daemon=True
        )
        listener.start()
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(fd_before)
            sender.close()
            listener.join()


def _leave_to_the_thread(_number: int, _frame: FrameType | None) -> None:
    """Do nothing. Python writes to the wakeup file descriptor only for signals that have a handler."""


def _listen(
    receiver: socket.socket, stop: threading.Event, max_seconds: float | None, as_line: Callable[[str], str]
) -> None:
    is_stopping = False
    deadline: float | None = None
    while True:
        try:
            receiver.settimeout(deadline and max(0.001, deadline - time.monotonic()))
            received = receiver.recv(1)
        except TimeoutError:
            _write(as_line("stopped without waiting for requests in flight: unacknowledged changes are read again"))
            os._exit(_NOT_ENDED)
        if not received:
            return
        number = received[0]
        if number not in _STOPPING:
            continue
        if is_stopping:
            if os.isatty(_STANDARD_ERROR):
                # A progress bar hides the cursor, and does not get the chance to show it again.
                _write(_SHOW_CURSOR)
            os._exit(_ENDED_BY_SIGNAL + number)
        is_stopping = True
        stop.set()
        deadline = max_seconds and time.monotonic() + max_seconds
        _write(as_line(f"stopping ({signal.Signals(number).name}); send the signal again to stop immediately"))


def _write(line: str) -> None:
    """Write to standard error without blocking.

    ``print`` could wait for a lock that the stopping thread holds. A closed or slow reader must not keep the process
    from stopping either, so a line that cannot be written is dropped.
    """
    with suppress(OSError):
        if select.select((), (_STANDARD_ERROR,), (), 0)[1]:
            os.write(_STANDARD_ERROR, f"{line}\n".encode())
