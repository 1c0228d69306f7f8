"""Refill: from the table to searchable documents, compared with the same documents sent by a bare loop.

The baseline is the limit: the documents are encoded before, and as many threads as the refill has segments do nothing
but send bulk requests of a page each and look whether one failed. Both end when a refresh has made all searchable.
What it takes to read is part of the refill, but not what it takes to be read: the table is made up, since a table on
AWS takes no processor time of this machine. Where the cluster shares the processors, what the refill takes of them is
missing there; so it is measured once more with a cluster that has one of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import orjson

from bench.backends import can_be_apart, made_up
from bench.made_up import MadeUpTable
from bench.ratios import Ratios, cpu_seconds, share, wall_seconds
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
_WARMING_UP = 2
_ITEMS = 100_000
_SEGMENTS = 4
_PAGE = 1000
_NAME = "bench-refill"


def main() -> Iterator[str]:
    yield from _compared(f"refill of {_ITEMS:,} songs")
    if can_be_apart():
        yield from _compared("the same, the cluster on a processor of its own", apart=True)


def _compared(name: str, *, apart: bool = False) -> Iterator[str]:
    with made_up(_NAME, _ITEMS, apart=apart) as (sync, settings):
        lines, coding = lines_of(sync, _ITEMS)
        ratios, swept = Ratios(), Ratios()
        for _ in range(_WARMING_UP):
            _refill(connect(sync, settings))
        for turn in range(_ROUNDS):
            # Each goes first as often as the other: the cluster still merges what came before.
            if turn % 2:
                limit = _bare(sync, settings, lines)
            searchable, whole = _refill(connect(sync, settings))
            if not turn % 2:
                limit = _bare(sync, settings, lines)
            ratios.add(limit, searchable)
            swept.add(limit, whole)
        each = _ITEMS / ratios.candidate_median
        yield f"{name}: {ratios} the speed of bare bulk requests; {each:,.0f} items a second"
        yield share(coding, ratios)
        yield f"with its sweep: {swept} the speed of bare bulk requests"


def _bare(sync: Sync, settings: RuntimeSettings, lines: Sequence[bytes]) -> float:
    return bare_loop(connect(sync, settings), lines, _NAME, settings.refill_page_size, _SEGMENTS)


def lines_of(sync: Sync, items: int) -> tuple[list[bytes], float]:
    """Each item's part of a bulk request, and the processor time to decode and encode all of them."""
    table, schema, version = MadeUpTable(items), KeySchema(("id",), ("S",)), External(1_700_000_000_000_000)
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
    """Seconds that the lines take to become searchable documents, so many to a request, in so many threads."""
    name = f"{name}-bare"
    runtime.index.create(name, {**creation_body(name, runtime.sync.mappings, runtime.sync.settings), "aliases": {}})
    bodies = [b"".join(lines[start : start + page]) for start in range(0, len(lines), page)]

    def send(body: bytes) -> None:
        reply = runtime.index.bulk(name, body, 30.0)
        assert all(one["index"]["status"] == 201 for one in reply)

    def work() -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(send, bodies))
        runtime.index.refresh(name)

    try:
        return wall_seconds(work)
    finally:
        runtime.index.delete(name)


class _Refreshed(OpenSearchIndex):
    """Knows when it was refreshed."""

    at = 0.0

    def refresh(self, index: str) -> None:
        super().refresh(index)
        self.at = time.perf_counter()


def _refill(runtime: Runtime) -> tuple[float, float]:
    """Seconds until the documents were searchable, and until the end."""
    index = _Refreshed(clients.opensearch(runtime.settings))
    began = time.perf_counter()
    refill(replace(runtime, index=index), RefillOptions(_SEGMENTS), threading.Event())
    ended = time.perf_counter()
    for name in runtime.index.indexes_behind(_NAME):
        assert runtime.index.count(name) == _ITEMS
        runtime.index.delete(name)
    return index.at - began, ended - began
