"""Lag: the time from an acknowledged write to a search that returns it, on the local stack.

It has three stages: ``stream`` until the worker reads the change, ``apply`` until the cluster acknowledges its bulk
request, ``search`` until a refresh makes it visible. Writer, worker, table and cluster share one machine. The benchmark
searches every 20 ms.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any

from bench.backends import search_cluster
from dynadex import Sync, clients
from dynadex.demo.demo import create_table
from dynadex.demo.loader import load
from dynadex.errors import SearchUnavailable
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.index.results import ApplyResult
from dynadex.local.stack import LocalStack
from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from dynadex.source.stream_event import Record
from dynadex.worker.follow import follow

_NAME = "bench-lag"
_RATES = (50, 200, 1000)
_SECONDS = 10
_BATCHES_PER_SECOND = 50
_MAX_WAIT_SECONDS = 60
_MAPPINGS = {"properties": {"id": {"type": "keyword"}, "number": {"type": "long"}}}


class _Observer:
    """When each change was read, and when it was applied."""

    def __init__(self) -> None:
        self.read: dict[int, float] = {}
        self.applied: dict[int, float] = {}

    def on_start(self, records: Sequence[Record]) -> None:
        now = time.perf_counter()
        self.read |= {_number(record): now for record in records}

    def on_result(self, records: Sequence[Record], result: ApplyResult) -> None:
        assert result.applied == len(records), result
        now = time.perf_counter()
        self.applied |= {_number(record): now for record in records}


def main() -> Iterator[str]:
    """Yield the results."""
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        search_cluster() as url,
        LocalStack(Path(directory), opensearch_url=url) as stack,
    ):
        for rate in _RATES:
            name = f"{_NAME}-{rate}"
            settings = RuntimeSettings(
                dynamodb_url=stack.endpoints.dynamodb, opensearch_url=url, dead_letters=f"file:{directory}/letters"
            )
            create_table(clients.dynamodb(settings), name)
            yield _measured(Sync(table=name, index=name, mappings=_MAPPINGS), settings, rate)


def _measured(sync: Sync, settings: RuntimeSettings, rate: int) -> str:
    stop, observer = threading.Event(), _Observer()
    runtime = connect(sync, settings)
    runtime.ensure_index(awaits_refill=False)
    index = runtime.index
    worker = threading.Thread(target=follow, args=(sync, settings, stop), kwargs={"observer": observer})
    worker.start()
    visible: dict[int, float] = {}
    count = rate * _SECONDS
    searcher = threading.Thread(target=_search, args=(index, sync.index, count, visible))
    searcher.start()
    written = _write(settings, sync.table, rate, count)
    searcher.join()
    stop.set()
    worker.join()
    for name in index.indexes_behind(sync.index):
        index.delete(name)
    seconds = max(written.values()) - min(written.values())
    # Without the first second, during which everything starts.
    numbers = range(rate, count)
    stages = {
        "in all": [visible[n] - written[n] for n in numbers],
        "stream": [observer.read[n] - written[n] for n in numbers],
        "apply": [observer.applied[n] - observer.read[n] for n in numbers],
        "search": [visible[n] - observer.applied[n] for n in numbers],
    }
    summary = "; ".join(f"{stage} {_percentiles(values)}" for stage, values in stages.items())
    return f"lag at {count / max(seconds, 1e-9):,.0f} writes per second, ms (median/p95/p99): {summary}"


def _write(settings: RuntimeSettings, table: str, rate: int, count: int) -> dict[int, float]:
    """Write numbered items at this rate, or as fast as the table accepts; return when each was acknowledged."""
    client, written = clients.dynamodb(settings), dict[int, float]()
    each = max(1, rate // _BATCHES_PER_SECOND)
    began = time.perf_counter()
    for first in range(0, count, each):
        time.sleep(max(0.0, began + first / rate - time.perf_counter()))
        numbers = range(first, first + each)
        load(client, table, [{"id": f"item-{number}", "number": number} for number in numbers], lambda _: None)
        written |= dict.fromkeys(numbers, time.perf_counter())
    return written


def _search(index: OpenSearchIndex, name: str, count: int, visible: dict[int, float]) -> None:
    until = time.perf_counter() + _SECONDS + _MAX_WAIT_SECONDS
    body: dict[str, Any] = {"size": 10_000, "_source": False, "docvalue_fields": ["number"]}
    while len(visible) < count and time.perf_counter() < until:
        time.sleep(0.02)
        last = max(visible, default=-1)
        try:
            hits = index.search(name, {**body, "query": {"range": {"number": {"gt": last}}}})["hits"]["hits"]
        except SearchUnavailable:
            # The shards of a new index are not ready yet.
            continue
        now = time.perf_counter()
        visible |= {hit["fields"]["number"][0]: now for hit in hits}


def _percentiles(seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    return "/".join(f"{cuts[percent - 1] * 1000:,.0f}" for percent in (50, 95, 99))


def _number(record: Record) -> int:
    return int(record["dynamodb"]["NewImage"]["number"]["N"])
