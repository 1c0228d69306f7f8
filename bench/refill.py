"""Refill: from the table to searchable documents, compared with the same documents sent by a bare loop.

The baseline is the limit: the documents are encoded before, and as many threads as the refill has segments do nothing
but send bulk requests of a page each and look whether one failed. Both end when a refresh has made all searchable.
What it takes to read is part of the refill, but not what it takes to be read: the table replays its replies, since a
table on AWS takes no processor time of this machine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.backends import search_cluster
from bench.ratios import Ratios, wall_seconds
from bench.replay import replaying
from dynadex import Sync, clients
from dynadex.demo.lessons import MAPPINGS, SETTINGS
from dynadex.demo.loader import load
from dynadex.document.identity import KeySchema, document_id
from dynadex.index.bulk import External, Write
from dynadex.index.indices import creation_body
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.local.demo import create_table
from dynadex.local.stack import LocalStack
from dynadex.run.refill import RefillOptions, Report, refill
from dynadex.run.wiring import Runtime, connect
from dynadex.settings import Settings
from dynadex.source.attribute_values import typed
from tests.songs import all_songs

_ROUNDS = 5
_SEGMENTS = 4
_NAME = "bench-refill"


def main() -> Iterator[str]:
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        search_cluster() as url,
        LocalStack(Path(directory), opensearch_url=url) as stack,
        replaying(stack.endpoints.dynamodb) as table_url,
    ):
        settings = Settings(dynamodb_url=table_url, opensearch_url=url, dead_letters=f"file:{directory}/letters")
        sync = Sync(table=_NAME, index=_NAME, mappings=MAPPINGS, settings=SETTINGS)
        songs = all_songs()
        create_table(clients.dynamodb(settings), _NAME)
        load(clients.dynamodb(settings), _NAME, songs, lambda _: None)
        lines = [line(sync, song) for song in songs]
        ratios, swept = Ratios(), Ratios()
        # So that the table knows its replies, and the cluster has warmed up.
        _refill(connect(sync, settings))
        for _ in range(_ROUNDS):
            limit = bare_loop(connect(sync, settings), lines, _NAME, settings.page_items, _SEGMENTS)
            searchable, whole = _refill(connect(sync, settings))
            ratios.add(limit, searchable)
            swept.add(limit, whole)
        each = len(songs) / ratios.candidate_median
        yield f"refill of {len(songs):,} songs: {ratios} the speed of bare bulk requests; {each:,.0f} items a second"
        yield f"the same with its sweep: {swept} the speed of bare bulk requests"


def line(sync: Sync, song: dict[str, Any]) -> bytes:
    """A song's part of a bulk request."""
    item = typed(song)["M"]
    identity = document_id(KeySchema(("id",), ("S",)), item)
    return Write(identity, sync.build(item).body, External(1_700_000_000_000_000)).encoded()


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
    report = Report(lambda _: None, lambda _: None)
    began = time.perf_counter()
    refill(replace(runtime, index=index), RefillOptions(_SEGMENTS), threading.Event(), report)
    ended = time.perf_counter()
    for name in runtime.index.indexes_behind(_NAME):
        assert runtime.index.count(name) == len(all_songs())
        runtime.index.delete(name)
    return index.at - began, ended - began
