"""Indexes of the relevance suite, and the table of results printed at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from opensearchpy import OpenSearch

from dynadex.demo.lessons import MAPPINGS, SETTINGS, sync
from dynadex.document.identity import KeySchema
from dynadex.search import query, sort_order
from dynadex.search.request import SearchRequest
from tests.relevance.evaluate import Engine
from tests.relevance.table import Table
from tests.songs import all_songs
from tests.waiting import HANG_SECONDS

_TABLE = pytest.StashKey[Table]()
# The share of the songs tested in every row; `make relevance` sets 0.4. The index has all songs.
SCALE = float(os.environ.get("RELEVANCE_SCALE", "0.003"))
_PLAIN = {"properties": {"title": {"type": "text"}, "composer": {"type": "text"}}}
_BATCH = 2000
ORDER = sort_order.order(sync, KeySchema(("id",), ("S",)))


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> Table:
    """The results of the whole run, which tests add to."""
    return pytestconfig.stash.setdefault(_TABLE, Table())


@pytest.fixture(scope="session")
def songs() -> list[dict[str, Any]]:
    return all_songs()


@pytest.fixture(scope="session")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    with OpenSearch(opensearch_url, timeout=HANG_SECONDS) as opensearch:
        yield opensearch


@pytest.fixture(scope="session")
def engines(client: OpenSearch, songs: list[dict[str, Any]]) -> Iterator[list[Engine]]:
    """dynadex with the demo's declaration, and the baselines on an index with default analysis."""
    ours, plain = f"relevance-{os.getpid()}", f"relevance-plain-{os.getpid()}"
    analysis = {"analysis": SETTINGS["analysis"]}
    try:
        _fill(client, ours, analysis, MAPPINGS, songs)
        _fill(client, plain, {}, _PLAIN, songs)
        yield [
            Engine("dynadex", ours, _lessons),
            Engine("match", plain, lambda text: {"query": {"match": {"title": text}}}),
            Engine("multi_match, fuzziness AUTO", plain, _multi_match),
        ]
    finally:
        client.indices.delete(index=[ours, plain], ignore_unavailable=True)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the table after pytest's own summary."""
    table = config.stash.get(_TABLE, None)
    if table and table.lines:
        config.get_terminal_writer().line(str(table))


def _lessons(text: str) -> dict[str, Any]:
    return query.body(sync.search, SearchRequest(text), ORDER)


def _multi_match(text: str) -> dict[str, Any]:
    return {"query": {"multi_match": {"query": text, "fields": ["title^3", "composer"], "fuzziness": "AUTO"}}}


def _fill(client: OpenSearch, name: str, settings: Any, mappings: Any, songs: list[dict[str, Any]]) -> None:
    # One shard with one segment, for the same scores in every run.
    index = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": -1, **settings}
    client.indices.create(index=name, body={"settings": {"index": index}, "mappings": mappings})
    for start in range(0, len(songs), _BATCH):
        batch = songs[start : start + _BATCH]
        lines = [part for song in batch for part in ({"index": {"_id": song["id"]}}, song)]
        reply = client.bulk(index=name, body=b"".join(orjson.dumps(line, default=float) + b"\n" for line in lines))
        assert not reply["errors"], reply["items"][0]
    client.indices.forcemerge(index=name, max_num_segments=1)
    client.indices.refresh(index=name)
