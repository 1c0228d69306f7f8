"""Growth: seconds and peak memory of a refill, and of a verify after it, of tables of ever more items.

Each is done by a process of its own, whose peak is read from the kernel. The slope is that of seconds over items, both
as logarithms, by least squares: 1 where twice the items take twice the time.
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

from bench.backends import made_up
from dynadex import Sync
from dynadex.refill.refill import RefillOptions, refill
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, verify

_COUNTS = (1_000, 10_000, 100_000)
# GROWTH_ITEMS=1000000 adds a table of so many items: some ten minutes.
_MORE = "GROWTH_ITEMS"
_NAME = "bench-growth"
Work = Callable[[Runtime, int], None]


def main() -> Iterator[str]:
    counts = [*_COUNTS, *map(int, filter(None, [os.environ.get(_MORE)]))]
    # The cluster warms up.
    _measured(_COUNTS[0])
    figures = []
    for count in counts:
        figures.append(_measured(count))
        for name, seconds, megabytes in figures[-1]:
            yield f"{name} of {count:,} items: {seconds:.1f} s, {count / seconds:,.0f} a second, peak {megabytes} MB"
    for one in zip(*figures, strict=True):
        slope = _slope(counts, [seconds for _, seconds, _ in one])
        yield f"{one[0][0]}: seconds grow with the items to the power of {slope:.2f}"


def _measured(count: int) -> list[tuple[str, float, int]]:
    """Name, seconds and peak in MB of each work on a new table of so many items."""
    with made_up(_NAME, count) as (sync, settings):
        runtime = connect(sync, settings)
        try:
            return [(work.__name__[1:], *_in_own_process(work, sync, settings, count)) for work in (_refill, _verify)]
        finally:
            for name in runtime.index.indexes_behind(_NAME):
                runtime.index.delete(name)


def _in_own_process(work: Work, sync: Sync, settings: RuntimeSettings, count: int) -> tuple[float, int]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(work, sync, settings, count, theirs))
    process.start()
    theirs.close()
    try:
        seconds, megabytes = ours.recv()
        return seconds, megabytes
    finally:
        process.join()


def _run(work: Work, sync: Sync, settings: RuntimeSettings, count: int, told: Any) -> None:
    runtime = connect(sync, settings)
    began = time.perf_counter()
    work(runtime, count)
    told.send((time.perf_counter() - began, _peak_megabytes()))


def _peak_megabytes() -> int:
    """The most memory this process ever held."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


def _refill(runtime: Runtime, count: int) -> None:
    done = refill(runtime, RefillOptions(), threading.Event())
    assert done.progress.tally.applied == count


def _verify(runtime: Runtime, count: int) -> None:
    [index] = runtime.index.indexes_behind(_NAME)
    done = verify(runtime, index, VerifyOptions(), VerifyCallbacks())
    assert (done.items, done.equal) == (count, True)


def _slope(items: Sequence[int], seconds: Sequence[float]) -> float:
    """By least squares, of the logarithms."""
    xs, ys = [math.log(one) for one in items], [math.log(one) for one in seconds]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
