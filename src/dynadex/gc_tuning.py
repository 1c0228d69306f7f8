"""Python looks for garbage less often while much JSON passes through.

Each item read makes dozens of objects, which live until their page is written. To look again and again whether they
refer to each other in circles, which JSON never does, takes as much processor time as all else done with them.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# How many more objects there are than at the last look before the youngest are looked at, and how many such looks
# come before one at the older ones. Pages of a refill's four parts hold fewer, so that only what is left over counts.
_RARELY = (500_000, 20, 20)
_lock = threading.Lock()
_entered = 0
_usual = gc.get_threshold()


@contextmanager
def infrequent_gc() -> Iterator[None]:
    """As long as anybody is inside. For the whole process, since nothing less is to be had."""
    global _entered, _usual
    with _lock:
        if not _entered:
            _usual = gc.get_threshold()
            gc.set_threshold(*_RARELY)
        _entered += 1
    try:
        yield
    finally:
        with _lock:
            _entered -= 1
            if not _entered:
                gc.set_threshold(*_usual)
