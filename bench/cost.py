"""What the Lambda functions cost for each million changes and items, beside a pipeline that always runs: on paper.

An invocation is billed for its whole time, that of waiting for the cluster included, times its memory. Both are
measured here, against this machine's cluster, with batches of 1,000 records. Prices are assumed to be the list prices
of us-east-1, without free tiers, and are looked up nowhere; the cluster and the table cost the same either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.backends import search_cluster
from bench.decode import record
from bench.replay import replaying
from dynadex import Sync, clients
from dynadex.demo.lessons import MAPPINGS, SETTINGS
from dynadex.demo.loader import load
from dynadex.local.demo import create_table
from dynadex.local.stack import LocalStack
from dynadex.run.records import apply_records
from dynadex.run.slices import Slice, run_slice
from dynadex.run.wiring import Runtime, connect
from dynadex.settings import Settings
from tests.songs import all_songs

PRICES_OF = "2026-11"
_PER_GB_SECOND, _PER_MILLION_REQUESTS = 0.0000133334, 0.20
_PIPELINE_UNIT_HOUR, _PIPELINE_UNITS = 0.24, 2
# As the CDK app makes them.
_MEMORY_GB = 1.0
_BATCH = 1000
_MILLION = 1_000_000
_NAME = "bench-cost"


def main() -> Iterator[str]:
    songs = all_songs()
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        search_cluster() as url,
        LocalStack(Path(directory), opensearch_url=url) as stack,
        replaying(stack.endpoints.dynamodb) as table_url,
    ):
        settings = Settings(dynamodb_url=table_url, opensearch_url=url, dead_letters=f"file:{directory}/letters")
        create_table(clients.dynamodb(settings), _NAME)
        load(clients.dynamodb(settings), _NAME, songs, lambda _: None)
        sync = Sync(table=_NAME, index=_NAME, mappings=MAPPINGS, settings=SETTINGS)
        records = [record(number, song) for number, song in enumerate(songs)]
        runtime = connect(sync, settings)
        # The first time the cluster warms up, and the table learns its replies.
        for _ in range(2):
            items = _timed_in_new_index(runtime, lambda: run_slice(runtime, Slice(), float("inf")))
        changes = _timed_in_new_index(runtime, lambda: _apply(runtime, records))
    yield _told("changes", changes, len(songs), invocations=_MILLION / _BATCH)
    yield _told("items refilled", items, len(songs), invocations=1)
    always_on = _PIPELINE_UNITS * 24 * _PIPELINE_UNIT_HOUR
    million = _dollars(changes, len(songs), _MILLION / _BATCH)
    yield (
        f"a pipeline of {_PIPELINE_UNITS} units that always runs: ${always_on:.2f} a day ({PRICES_OF}); "
        f"the function costs as much at {always_on / million:,.0f} million changes a day"
    )


def _apply(runtime: Runtime, records: list[dict[str, object]]) -> None:
    for start in range(0, len(records), _BATCH):
        apply_records(runtime.indexer, records[start : start + _BATCH], runtime.clock.monotonic() + 60)


def _timed_in_new_index(runtime: Runtime, work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of time, and of processor time."""
    runtime.ensure_index(awaits_refill=False)
    [name] = runtime.alias.now()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        work()
        return time.perf_counter() - wall, time.process_time() - cpu
    finally:
        runtime.index.delete(name)


def _dollars(seconds: tuple[float, float], count: int, invocations: float) -> float:
    gigabyte_seconds = seconds[0] / count * _MILLION * _MEMORY_GB
    return gigabyte_seconds * _PER_GB_SECOND + invocations / _MILLION * _PER_MILLION_REQUESTS


def _told(what: str, seconds: tuple[float, float], count: int, invocations: float) -> str:
    wall, cpu = (one / count * _MILLION * _MEMORY_GB for one in seconds)
    price = _dollars(seconds, count, invocations)
    return f"a million {what}: {wall:,.0f} GB-seconds ({cpu:,.0f} of them at work), ${price:.4f}"
