"""Backfill: speed from the table to searchable documents, compared with a loop that only sends bulk requests.

The baseline is the limit: its documents are encoded beforehand, and its threads, one per segment of the backfill, only
send bulk requests and check the responses. Both end when a refresh has made all documents searchable. The time of the
backfill includes reading from the table, but not the work of the table, which is synthetic and runs in another process:
a table on AWS takes no processor time of this machine. If the cluster shares the processors, the backfill takes some of
its time, so the second measurement gives the cluster a separate processor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import orjson

from bench.backends import has_separate_processor, synthetic_sync
from bench.ratios import Ratios, cpu_seconds, share, wall_seconds
from bench.synthetic_table import SyntheticTable
from dynadex import Sync, clients
from dynadex.document.identity import KeySchema, document_id
from dynadex.gc_tuning import infrequent_gc
from dynadex.index.aliases import creation_body
from dynadex.index.bulk import External, Write
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.refill.refill import RefillOptions, refill
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings

_ROUNDS = 6
_WARM_UP_ROUNDS = 2
_ITEMS = 100_000
_SEGMENTS = 4
_PAGE = 1000
_NAME = "bench-refill"


def main() -> Iterator[str]:
    """Yield the results."""
    yield from _compared(f"backfill of {_ITEMS:,} songs")
    if has_separate_processor():
        yield from _compared("the same, with the cluster on a separate processor", separate_processor=True)


def _compared(name: str, *, separate_processor: bool = False) -> Iterator[str]:
    with synthetic_sync(_NAME, _ITEMS, separate_processor=separate_processor) as (sync, settings):
        lines, coding = lines_of(sync, _ITEMS)
        ratios, swept = Ratios(), Ratios()
        for _ in range(_WARM_UP_ROUNDS):
            _refill(connect(sync, settings))
        for turn in range(_ROUNDS):
            # Alternate the order: the cluster still merges segments of the previous run.
            if turn % 2:
                limit = _bare(sync, settings, lines)
            searchable, whole = _refill(connect(sync, settings))
            if not turn % 2:
                limit = _bare(sync, settings, lines)
            ratios.add(limit, searchable)
            swept.add(limit, whole)
        each = _ITEMS / ratios.candidate_median
        yield f"{name}: {ratios} the speed of bare bulk requests; {each:,.0f} items per second"
        yield share(coding, ratios)
        yield f"with its sweep: {swept} the speed of bare bulk requests"


def _bare(sync: Sync, settings: RuntimeSettings, lines: Sequence[bytes]) -> float:
    return bare_loop(connect(sync, settings), lines, _NAME, settings.refill_page_size, _SEGMENTS)


def lines_of(sync: Sync, items: int) -> tuple[list[bytes], float]:
    """Return each item's lines of a bulk request, and the processor time to decode and encode all of them."""
    table, schema, version = SyntheticTable(items), KeySchema(("id",), ("S",)), External(1_700_000_000_000_000)
    lines: list[bytes] = []

    def code(replies: Sequence[bytes]) -> None:
        for reply in replies:
            for item in orjson.loads(reply):
                lines.append(Write(document_id(schema, item), sync.build(item).body, version).encoded())

    numbers = [range(start, min(items, start + _PAGE)) for start in range(0, items, _PAGE)]
    replies = [b"[%b]" % b",".join(map(table.item, page)) for page in numbers]
    with infrequent_gc():
        return lines, cpu_seconds(lambda: code(replies))


def bare_loop(runtime: Runtime, lines: Sequence[bytes], name: str, page: int, threads: int) -> float:
    """Return the seconds to index the lines and make them searchable, ``page`` lines per request."""
    name = f"{name}-bare"
    runtime.index.create(name, {**creation_body(name, runtime.sync.mappings, runtime.sync.settings), "aliases": {}})
    bodies = [b"".join(lines[start : start + page]) for start in range(0, len(lines), page)]

    def send(body: bytes) -> None:
        reply = runtime.index.bulk(name, body, 30.0)
        assert all(result["index"]["status"] == 201 for result in reply)

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(send, bodies))
        runtime.index.refresh(name)

    try:
        return wall_seconds(work)
    finally:
        runtime.index.delete(name)


class _Refreshed(OpenSearchIndex):
    """Records the time of its last refresh."""

    at = 0.0

    def refresh(self, index: str) -> None:
        super().refresh(index)
        self.at = time.perf_counter()


def _refill(runtime: Runtime) -> tuple[float, float]:
    """Return the seconds until the documents are searchable, and until the end of the sweep."""
    index = _Refreshed(clients.opensearch(runtime.settings))
    began = time.perf_counter()
    refill(replace(runtime, index=index), RefillOptions(_SEGMENTS), threading.Event())
    ended = time.perf_counter()
    for name in runtime.index.indexes_behind(_NAME):
        assert runtime.index.count(name) == _ITEMS
        runtime.index.delete(name)
    return index.at - began, ended - began
