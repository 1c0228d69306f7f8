"""Suggestions while typing: response time over all songs, with one client and a real OpenSearch.

The baseline is a match_phrase_prefix query on the same index, the usual first version of such a search.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import orjson
from opensearchpy import OpenSearch

from bench.backends import search_cluster
from dynadex.demo.lessons import MAPPINGS, SETTINGS, sync
from dynadex.search.suggest import suggest_body
from tests.songs import all_songs

_INPUTS = 400
_ROUNDS = 3
_BULK_SIZE = 2000


def main() -> Iterator[str]:
    """Yield the result."""
    songs = all_songs()
    inputs = list(_inputs(songs))
    with search_cluster() as url, OpenSearch(url, timeout=60) as client, _filled(client, songs) as index:
        candidate, baseline = [], []
        for _ in range(_ROUNDS + 1):
            candidate.append(_durations_ms(client, index, [suggest_body(sync.search, text) for text in inputs]))
            baseline.append(_durations_ms(client, index, [_phrase_prefix(text) for text in inputs]))
    # Without the first round, which warms up.
    p95s = [_p95(times) for times in candidate[1:]]
    ratios = [_p95(times) / _p95(others) for times, others in zip(candidate[1:], baseline[1:], strict=True)]
    yield (
        f"suggestions, {len(songs):,} songs: p95 {statistics.median(p95s):.1f} ms ({min(p95s):.1f} to "
        f"{max(p95s):.1f}, {_ROUNDS} rounds), {statistics.median(ratios):.2f} times that of match_phrase_prefix"
    )


def _inputs(songs: list[dict[str, Any]]) -> Iterator[str]:
    """Yield beginnings of titles, as typed so far."""
    random = Random(7)
    for song in random.sample(songs, _INPUTS):
        yield song["title"][: random.randint(1, len(song["title"]))]


def _durations_ms(client: OpenSearch, index: str, bodies: list[dict[str, Any]]) -> list[float]:
    durations = []
    for body in bodies:
        before = time.perf_counter()
        client.search(index=index, body=body)
        durations.append((time.perf_counter() - before) * 1000)
    return durations


def _p95(durations: list[float]) -> float:
    return sorted(durations)[int(len(durations) * 0.95)]


def _phrase_prefix(text: str) -> dict[str, Any]:
    return {"query": {"match_phrase_prefix": {"title": text}}, "_source": ["title"], "size": 8}


@contextmanager
def _filled(client: OpenSearch, songs: list[dict[str, Any]]) -> Iterator[str]:
    name = f"bench-suggest-{os.getpid()}"
    index = {"number_of_shards": 1, "number_of_replicas": 0, "analysis": SETTINGS["analysis"]}
    client.indices.create(index=name, body={"settings": {"index": index}, "mappings": MAPPINGS})
    try:
        for start in range(0, len(songs), _BULK_SIZE):
            page = songs[start : start + _BULK_SIZE]
            lines = [part for song in page for part in ({"index": {"_id": song["id"]}}, song)]
            client.bulk(index=name, body=b"".join(orjson.dumps(line, default=float) + b"\n" for line in lines))
        client.indices.refresh(index=name)
        yield name
    finally:
        client.indices.delete(index=name)
