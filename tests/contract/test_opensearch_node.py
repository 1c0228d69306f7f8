"""A real node of OpenSearch, as in docs/how-to/local.md: versions, plugins, kills, errors, the end of its process."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from dynadex.errors import LocalStackError
from dynadex.testing.opensearch import OpenSearchNode
from tests.waiting import HANG_SECONDS

ENGLISH = {
    "settings": {"number_of_shards": 1, "number_of_replicas": 1},
    "mappings": {"properties": {"title": {"type": "text", "analyzer": "english"}}},
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchNode]:
    with OpenSearchNode(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture
def client(node: OpenSearchNode) -> Iterator[OpenSearch]:
    with OpenSearch(node.url) as client:
        yield client


@pytest.fixture
def songs(client: OpenSearch) -> Iterator[str]:
    fill(client, "songs")
    yield "songs"
    client.indices.delete(index="songs")


def fill(client: OpenSearch, index: str) -> None:
    client.indices.create(index=index, body=ENGLISH)
    client.index(index=index, id="1", body={"title": "The Runner's Songs"}, params={"refresh": "true"})


def test_node_reports_its_version(
    node: OpenSearchNode, client: OpenSearch, report_backend: Callable[[str], None]
) -> None:
    report_backend(f"opensearch {node.version}")
    assert client.info()["version"]["number"] == node.version
    assert re.fullmatch(r"\d+\.\d+\.\d+", node.version)


def test_stemmed_word_matches_and_is_highlighted(client: OpenSearch, songs: str) -> None:
    hits = search(client, songs, {"query": {"match": {"title": "song"}}, "highlight": {"fields": {"title": {}}}})
    assert [hit["highlight"]["title"] for hit in hits] == [["The Runner's <em>Songs</em>"]]


def test_scripted_updates_and_update_by_query_work(client: OpenSearch, songs: str) -> None:
    script = {"source": "ctx._source.title += params.more", "params": {"more": " again"}}
    client.update(index=songs, id="1", body={"script": script}, params={"refresh": "true"})
    client.update_by_query(index=songs, body={"script": script}, params={"refresh": "true"})
    assert client.get(index=songs, id="1")["_source"] == {"title": "The Runner's Songs again again"}


def test_restart_after_a_kill_keeps_data_and_port_and_wipe_deletes_the_data(
    node: OpenSearchNode, client: OpenSearch
) -> None:
    """The index has a replica, which a single node never assigns: a restart must not wait for it."""
    fill(client, "kept")
    url = node.url
    node.kill()
    assert node.pid is None
    node.restart()
    assert node.url == url
    assert client.count(index="kept")["count"] == 1

    with pytest.raises(LocalStackError, match="runs already"):
        node.start()
    with pytest.raises(LocalStackError, match="Stop it first"):
        node.wipe()

    terminate(node)
    with pytest.raises(LocalStackError, match="ended with exit code 143"):
        node.stop()
    node.wipe()
    assert not (node.home / "data").exists()


def test_node_ends_when_its_parent_process_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, dynadex.testing.opensearch as testing\n"
        "node = testing.OpenSearchNode(pathlib.Path(sys.argv[1]))\n"
        "node.start()\n"
        "print(node.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        with exit_of(int(parent.stdout.readline())):
            parent.kill()


def test_node_that_cannot_start_reports_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a directory must be")
    with pytest.raises(LocalStackError, match=r"ended with exit code 1[\s\S]*" + re.escape(str(tmp_path / "data"))):
        OpenSearchNode(tmp_path).start()


def test_newer_version_starts(tmp_path: Path) -> None:
    with OpenSearchNode(tmp_path, version="3", class_cache=False) as node, OpenSearch(node.url) as client:
        assert node.version.startswith("3.")
        fill(client, "songs")
        assert len(search(client, "songs", {"query": {"match": {"title": "song"}}})) == 1


def test_plugin_is_loaded(tmp_path: Path) -> None:
    with (
        OpenSearchNode(tmp_path, plugins=["opensearch-knn"], class_cache=False) as node,
        OpenSearch(node.url) as client,
    ):
        vector = {"type": "knn_vector", "dimension": 2, "method": {"name": "hnsw", "engine": "lucene"}}
        body = {"settings": {"index.knn": True}, "mappings": {"properties": {"at": vector}}}
        client.indices.create(index="places", body=body)
        for name, at in {"near": [1, 1], "far": [9, 9]}.items():
            client.index(index="places", id=name, body={"at": at}, params={"refresh": "true"})
        hits = search(client, "places", {"query": {"knn": {"at": {"vector": [1, 2], "k": 2}}}})
    assert [hit["_id"] for hit in hits] == ["near", "far"]


@contextmanager
def exit_of(pid: int) -> Iterator[None]:
    """Assert that the block ends a process, which need not be a child of this one."""
    process = os.pidfd_open(pid)
    try:
        yield
        assert select.select([process], [], [], HANG_SECONDS)[0], f"{pid} still runs after {HANG_SECONDS:g} s"
    finally:
        os.close(process)


def terminate(node: OpenSearchNode) -> None:
    assert node.pid is not None
    with exit_of(node.pid):
        os.kill(node.pid, signal.SIGTERM)


def search(client: OpenSearch, index: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = client.search(index=index, body=body)["hits"]["hits"]
    return hits
