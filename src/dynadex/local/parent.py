"""A child that ends with its parent, however that ends: it watches the pipe that is its standard input."""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import NoReturn

_POLL_SECONDS = 1.0


def end_with_parent(parent_pid: int) -> None:
    """From now on, end this process and its group as soon as the parent is gone, or has closed the pipe."""
    # Off descriptor 0, where whatever this process starts could inherit it and read the pipe in our place.
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_watch, args=(pipe, parent_pid), daemon=True, name="parent watch").start()


def _watch(pipe: int, parent_pid: int) -> None:
    # The pipe tells at once. The parent's id is for a pipe that somebody forked off the parent keeps open.
    while os.getppid() == parent_pid:
        readable, _, _ = select.select([pipe], [], [], _POLL_SECONDS)
        if readable and not os.read(pipe, 1):
            break
    _end_group()


def _end_group() -> NoReturn:
    # All it holds is in memory, so there is nothing to finish; what it started in its group ends with it.
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)
