"""Completions while typing: the time to answer, of all songs, on a real OpenSearch, one client.

Baseline: a match_phrase_prefix in the same index, which is what a first version of such a search uses.
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
from dynadex.search import query
from tests.songs import all_songs

_TYPED = 400
_ROUNDS = 3
_AT_ONCE = 2000


def main() -> Iterator[str]:
    """A line of figures."""
    songs = all_songs()
    typed = list(_typed(songs))
    with search_cluster() as url, OpenSearch(url, timeout=60) as client, _filled(client, songs) as index:
        ours, baseline = [], []
        for _ in range(_ROUNDS + 1):
            ours.append(_taken_ms(client, index, [query.suggest_body(sync.search, text) for text in typed]))
            baseline.append(_taken_ms(client, index, [_phrase_prefix(text) for text in typed]))
    # The first round warms up.
    ours_ms = [_p95(one) for one in ours[1:]]
    ratios = [_p95(one) / _p95(other) for one, other in zip(ours[1:], baseline[1:], strict=True)]
    yield (
        f"suggestions, {len(songs):,} songs: p95 {statistics.median(ours_ms):.1f} ms ({min(ours_ms):.1f} to "
        f"{max(ours_ms):.1f}, {_ROUNDS} rounds), {statistics.median(ratios):.2f} x a match_phrase_prefix's"
    )


def _typed(songs: list[dict[str, Any]]) -> Iterator[str]:
    """What stands in the box at some moment while somebody types a title."""
    random = Random(7)
    for song in random.sample(songs, _TYPED):
        yield song["title"][: random.randint(1, len(song["title"]))]


def _taken_ms(client: OpenSearch, index: str, bodies: list[dict[str, Any]]) -> list[float]:
    taken = []
    for body in bodies:
        before = time.perf_counter()
        client.search(index=index, body=body)
        taken.append((time.perf_counter() - before) * 1000)
    return taken


def _p95(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.95)]


def _phrase_prefix(text: str) -> dict[str, Any]:
    return {"query": {"match_phrase_prefix": {"title": text}}, "_source": ["title"], "size": 8}


@contextmanager
def _filled(client: OpenSearch, songs: list[dict[str, Any]]) -> Iterator[str]:
    name = f"bench-suggest-{os.getpid()}"
    index = {"number_of_shards": 1, "number_of_replicas": 0, "analysis": SETTINGS["analysis"]}
    client.indices.create(index=name, body={"settings": {"index": index}, "mappings": MAPPINGS})
    try:
        for start in range(0, len(songs), _AT_ONCE):
            some = songs[start : start + _AT_ONCE]
            lines = [part for song in some for part in ({"index": {"_id": song["id"]}}, song)]
            client.bulk(index=name, body=b"".join(orjson.dumps(line, default=float) + b"\n" for line in lines))
        client.indices.refresh(index=name)
        yield name
    finally:
        client.indices.delete(index=name)
