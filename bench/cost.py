"""Cost of the Lambda functions per million changes and items, compared with a pipeline that always runs.

Lambda bills the duration of an invocation, including the wait for the cluster, times its memory. The duration is
measured against the cluster of this machine, with batches of 1,000 records. Prices are constants: list prices of
us-east-1 without free tiers. The cluster and the table cost the same either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bench.backends import synthetic_sync
from bench.decode import record
from dynadex.index.apply_records import apply_records
from dynadex.refill.slices import Slice, run_slice
from dynadex.runtime import Runtime, connect
from tests.songs import all_songs

PRICES_OF = "2026-11"
_PER_GB_SECOND, _PER_MILLION_REQUESTS = 0.0000133334, 0.20
_PIPELINE_UNIT_HOUR, _PIPELINE_UNITS = 0.24, 2
# As in the CDK app.
_MEMORY_GB = 1.0
_BATCH = 1000
_MILLION = 1_000_000
_COUNT = 13_925
_NAME = "bench-cost"


def main() -> Iterator[str]:
    """Yield the results."""
    with synthetic_sync(_NAME, _COUNT) as (sync, settings):
        records = [record(number, song) for number, song in enumerate(all_songs())]
        runtime = connect(sync, settings)
        # The first round warms up the cluster.
        for _ in range(2):
            items = _timed_in_new_index(runtime, lambda: run_slice(runtime, Slice(), float("inf")))
        changes = _timed_in_new_index(runtime, lambda: _apply(runtime, records))
    yield _line("changes", changes, _COUNT, invocations=_MILLION / _BATCH)
    yield _line("items backfilled", items, _COUNT, invocations=1)
    always_on = _PIPELINE_UNITS * 24 * _PIPELINE_UNIT_HOUR
    million = _dollars(changes, _COUNT, _MILLION / _BATCH)
    yield (
        f"a pipeline of {_PIPELINE_UNITS} units that always runs: ${always_on:.2f} a day ({PRICES_OF}); "
        f"the function costs as much at {always_on / million:,.0f} million changes a day"
    )


def _apply(runtime: Runtime, records: list[dict[str, object]]) -> None:
    for start in range(0, len(records), _BATCH):
        apply_records(runtime.indexer, records[start : start + _BATCH], runtime.clock.monotonic() + 60)


def _timed_in_new_index(runtime: Runtime, work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of wall time and of processor time."""
    runtime.ensure_index(awaits_refill=False)
    [name] = runtime.alias.resolve()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        work()
        return time.perf_counter() - wall, time.process_time() - cpu
    finally:
        runtime.index.delete(name)


def _dollars(seconds: tuple[float, float], count: int, invocations: float) -> float:
    gigabyte_seconds = seconds[0] / count * _MILLION * _MEMORY_GB
    return gigabyte_seconds * _PER_GB_SECOND + invocations / _MILLION * _PER_MILLION_REQUESTS


def _line(unit: str, seconds: tuple[float, float], count: int, invocations: float) -> str:
    wall, cpu = (duration / count * _MILLION * _MEMORY_GB for duration in seconds)
    price = _dollars(seconds, count, invocations)
    return f"1 million {unit}: {wall:,.0f} GB-seconds ({cpu:,.0f} of them processor time), ${price:.4f}"
