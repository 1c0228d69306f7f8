"""End a child process with its parent, however the parent ends: watch the pipe on standard input."""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import NoReturn

_POLL_SECONDS = 1.0


def end_with_parent(parent_pid: int) -> None:
    """Start a thread that ends this process and its group once the parent ends or closes the pipe."""
    pipe = take_pipe()
    threading.Thread(target=_end_after, args=(pipe, parent_pid), daemon=True, name="parent watch").start()


def take_pipe() -> int:
    """Return the pipe to the parent, and replace standard input: processes started later would inherit the pipe."""
    pipe = os.dup(0)
    null_device = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null_device, 0)
    os.close(null_device)
    return pipe


def await_end(pipe: int, parent_pid: int) -> None:
    """Wait until the parent ends or closes the pipe."""
    # The pipe reports immediately. A process forked from the parent may keep it open, so also check the parent's id.
    while os.getppid() == parent_pid:
        readable, _, _ = select.select([pipe], [], [], _POLL_SECONDS)
        if readable and not os.read(pipe, 1):
            break


def _end_after(pipe: int, parent_pid: int) -> NoReturn:
    await_end(pipe, parent_pid)
    # All data is in memory, so there is nothing to save. Processes that this one started are in its group.
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
