"""Less frequent garbage collection while many items or records pass through.

Each item becomes dozens of objects that live until their page is written. By default, CPython 3.11 starts a collection
every 700 new objects, to find reference cycles, which JSON never has; that takes as much processor time as all
other work on the items.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Thresholds of gc.set_threshold: net new objects before a collection of the youngest generation, and the number of
# collections before the next older generation is included. The pages of a refill's four segments hold fewer objects
# than the first threshold, so that only what outlives them counts.
_INFREQUENT = (500_000, 20, 20)
_lock = threading.Lock()
_entered = 0
_previous = gc.get_threshold()


@contextmanager
def infrequent_gc() -> Iterator[None]:
    """Collect garbage rarely within the ``with`` block; the last of several blocks to end restores the thresholds.

    The thresholds apply to the whole process: Python has none per thread.
    """
    global _entered, _previous
    with _lock:
        if not _entered:
            _previous = gc.get_threshold()
            gc.set_threshold(*_INFREQUENT)
        _entered += 1
    try:
        yield
    finally:
        with _lock:
            _entered -= 1
            if not _entered:
                gc.set_threshold(*_previous)
