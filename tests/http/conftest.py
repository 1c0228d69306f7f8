"""The service of the demo's lessons: in memory, and with a real table and a real OpenSearch."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from dynadex import Sync, clients
from dynadex.clock import SystemClock
from dynadex.demo import lessons as demo
from dynadex.demo.demo import create_table
from dynadex.demo.live_feed import LiveFeed
from dynadex.demo.live_routes import LiveDeadLetter, LiveSources, live_routes
from dynadex.demo.operations import NAMES
from dynadex.demo.songs import lessons
from dynadex.document.body import encode
from dynadex.document.typed_json import typed
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.health import Health
from dynadex.index.aliases import ensure_index
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.http.listing_index import ListingIndex
from tests.unit.service import AUTH
from tests.waiting import HANG_SECONDS

SONGS = 2000
HARMFUL = {"id": "harmful", "title": "<img src=x onerror=alert(1)> & <b>Rakes</b>"}
_FIGURES = pytest.StashKey[list[str]]()


@dataclass(frozen=True)
class Service:
    """An application, its Sync, and a function that returns the items of its table."""

    app: Any
    sync: Sync
    items: Callable[[], dict[str, Any]]


class _Operations:
    """Accepts every other operation, and is busy for the others."""

    def __init__(self) -> None:
        self._turn = count()

    def start(self, name: str) -> bool:
        if name not in NAMES:
            raise KeyError(name)
        return next(self._turn) % 2 == 0

    def latest(self) -> None:
        return None


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the figures after pytest's own summary."""
    if figures := config.stash.get(_FIGURES, []):
        config.get_terminal_writer().line(f"http: {'; '.join(figures)}")


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """A function that adds a figure to the line printed at the end of the run."""
    return pytestconfig.stash[_FIGURES].append


def sync_of(name: str) -> Sync:
    """Return the demo's Sync with versions, for another table and index."""
    search = replace(demo.sync.search, version="version")
    return Sync(table=name, index=name, mappings=demo.sync.mappings, settings=demo.sync.settings, search=search)


@pytest.fixture(scope="session")
def in_memory() -> Service:
    """The service on the in-memory fakes of dynadex.testing."""
    memory, index, sync = InMemoryTable("lessons"), ListingIndex(), sync_of("lessons")
    name, _ = ensure_index(index, sync.index, sync.mappings, sync.settings, SystemClock())
    _fill(index, name, 5)
    for song in lessons(5):
        memory.put({key: typed(value) for key, value in song.items()})
    table: Any = Table(memory, sync.table)  # type: ignore[arg-type]
    clock = SystemClock()
    sources = LiveSources(
        dead_letters=lambda: (1, [LiveDeadLetter("x", "rejected", "2026-11-24")]), indexes=list, stale=lambda: None
    )
    health = Health(sync.index, index)
    live = live_routes(LiveFeed(memory.schema, clock), health, sources, _Operations(), AUTH, clock)
    options = HttpOptions(auth=AUTH, extra_routes=live)
    return Service(create_app(sync, index, table, memory.schema, options), sync, memory.items)


@pytest.fixture(scope="session")
def real(
    opensearch_url: str, tmp_path_factory: pytest.TempPathFactory, report_backend: Callable[[str], None]
) -> Iterator[Service]:
    """The service on ministack and a real OpenSearch."""
    directory: Path = tmp_path_factory.mktemp("http")
    with LocalStack(directory, opensearch_url=opensearch_url) as stack:
        report_backend("ministack")
        settings = RuntimeSettings(opensearch_url=opensearch_url, dynamodb_url=stack.endpoints.dynamodb)
        sync = sync_of(f"http-{uuid.uuid4().hex[:12]}")
        create_table(clients.dynamodb(settings), sync.table)
        table, index = Table(clients.dynamodb(settings), sync.table), OpenSearchIndex(clients.opensearch(settings))
        name, _ = ensure_index(index, sync.index, sync.mappings, sync.settings, SystemClock())
        try:
            _fill(index, name, SONGS)
            app = create_app(sync, index, table, table.describe().schema, HttpOptions(auth=AUTH))
            yield Service(app, sync, lambda: _items(settings, sync.table))
        finally:
            index.delete(name)


def _fill(index: Any, name: str, songs: int) -> None:
    documents = [*lessons(songs), HARMFUL]
    lines = [line for song in documents for line in (encode({"index": {"_id": song["id"]}}), encode(song))]
    index.bulk(name, b"\n".join(lines) + b"\n", HANG_SECONDS)
    index.refresh(name)


def _items(settings: RuntimeSettings, table: str) -> dict[str, Any]:
    pages = clients.dynamodb(settings).get_paginator("scan").paginate(TableName=table)
    return {item["id"]["S"]: item for page in pages for item in page["Items"]}
