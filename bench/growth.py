"""Growth: duration and peak memory of a backfill and of verify, for tables of increasing size.

Each runs in a separate process, whose peak memory the kernel reports. The exponent is the slope of the logarithm of the
duration over that of the number of items, by least squares: 1 if twice the items take twice the time.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.backends import synthetic_sync
from dynadex import Sync
from dynadex.refill.refill import RefillOptions, refill
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, verify

_COUNTS = (1_000, 10_000, 100_000)
# GROWTH_ITEMS=1000000 adds a table with that number of items, which takes about ten minutes.
_EXTRA_COUNT = "GROWTH_ITEMS"
_NAME = "bench-growth"
Work = Callable[[Runtime, int], None]


def main() -> Iterator[str]:
    """Yield the results."""
    counts = [*_COUNTS, *map(int, filter(None, [os.environ.get(_EXTRA_COUNT)]))]
    # Warm up the cluster.
    _measured(_COUNTS[0])
    figures = []
    for count in counts:
        figures.append(_measured(count))
        for name, seconds, megabytes in figures[-1]:
            yield f"{name} of {count:,} items: {seconds:.1f} s, {count / seconds:,.0f} per second, peak {megabytes} MB"
    for series in zip(*figures, strict=True):
        exponent = _slope(counts, [seconds for _, seconds, _ in series])
        yield f"{series[0][0]}: duration grows with the items to the power of {exponent:.2f}"


def _measured(count: int) -> list[tuple[str, float, int]]:
    """Return name, seconds and peak memory in MB of each operation on a new table with this number of items."""
    with synthetic_sync(_NAME, count) as (sync, settings):
        runtime = connect(sync, settings)
        try:
            return [(work.__name__[1:], *_in_own_process(work, sync, settings, count)) for work in (_refill, _verify)]
        finally:
            for name in runtime.index.indexes_behind(_NAME):
                runtime.index.delete(name)


def _in_own_process(work: Work, sync: Sync, settings: RuntimeSettings, count: int) -> tuple[float, int]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    process = context.Process(target=_run, args=(work, sync, settings, count, sender))
    process.start()
    sender.close()
    try:
        seconds, megabytes = receiver.recv()
        return seconds, megabytes
    finally:
        process.join()


def _run(work: Work, sync: Sync, settings: RuntimeSettings, count: int, sender: Any) -> None:
    runtime = connect(sync, settings)
    began = time.perf_counter()
    work(runtime, count)
    sender.send((time.perf_counter() - began, _peak_megabytes()))


def _peak_megabytes() -> int:
    """Return the peak memory of this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def _refill(runtime: Runtime, count: int) -> None:
    done = refill(runtime, RefillOptions(), threading.Event())
    assert done.progress.result.applied == count


def _verify(runtime: Runtime, count: int) -> None:
    [index] = runtime.index.indexes_behind(_NAME)
    done = verify(runtime, index, VerifyOptions(), VerifyCallbacks())
    assert (done.items, done.equal) == (count, True)


def _slope(items: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of log(seconds) over log(items), by least squares."""
    xs, ys = [math.log(count) for count in items], [math.log(duration) for duration in seconds]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
