"""A search that waits for a write shows it, with a real table, its stream, a worker, and an index with periodic
refreshes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.http.app import HttpOptions, create_app
from dynadex.runtime import connect
from tests.process.conftest import SceneMaker
from tests.process.following import worker
from tests.unit.service import AUTH, WRITER, Client, error_of, path_of
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("patient_searches")
ROUNDS = 12
NEW = {"If-None-Match": "*"}


@pytest.fixture(params=["osmem", "opensearch"])
def client(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Client]:
    """The service, with a worker that follows the table."""
    url = "" if request.param == "osmem" else request.getfixturevalue("opensearch_url")
    scene = make_scene(f"after-{uuid.uuid4().hex[:12]}", opensearch_url=url)
    scene.create_table()
    search = Search(fields={"title": 1}, facets=("form",), version="version")
    sync = Sync(
        table=scene.name, index=scene.name, mappings=scene.sync.mappings, settings=scene.sync.settings, search=search
    )
    runtime = connect(sync, replace(scene.settings, worker_lease_seconds=1.0))
    options = HttpOptions(auth=AUTH, timing=scene.settings.timing)
    app = create_app(sync, runtime.index, runtime.table, runtime.description.schema, options)
    with worker(sync, scene.settings):
        client = Client(app, WRITER)
        wait_for(lambda: client.get("/api/search").status_code == 200, "an index that can be searched")
        yield client
    for name in runtime.index.indexes_behind(sync.index):
        runtime.index.delete(name)


def found_after(client: Client, change: str, q: str) -> list[dict[str, Any]]:
    def reached() -> Any:
        """The response, if it shows the change. A search waits only a few seconds, in which a slow machine fails."""
        reply = client.get("/api/search", params={"q": q, "after": change}).json()
        return reply if reply.get("after_reached") else None

    answer = wait_for(reached, f"a search that shows {change}")
    return [hit["document"] for hit in answer["hits"]]


def test_every_write_is_found_by_the_search_that_waits_for_it(client: Client) -> None:
    written = client.put(path_of("x"), json={"title": "Zanzibar 0"}, headers=NEW)
    for number in range(1, ROUNDS):
        assert found_after(client, written.json()["change"], "zanzibar") == [written.json()["item"]]
        body = {"title": f"Zanzibar {number}"}
        written = client.put(path_of("x"), json=body, headers={"If-Match": written.headers["etag"]})
        assert written.status_code == 200
    deleted = client.delete(path_of("x"), headers={"If-Match": written.headers["etag"]}).json()
    assert found_after(client, deleted["change"], "zanzibar") == []
    restored = client.put(path_of("x"), json=written.json()["item"], headers=NEW).json()
    assert found_after(client, restored["change"], "zanzibar") == [restored["item"]]


def test_search_does_not_wait_for_a_superseded_write(client: Client) -> None:
    first = client.put(path_of("x"), json={"title": "Zanzibar first"}, headers=NEW)
    second = client.put(path_of("x"), json={"title": "Zanzibar second"}, headers={"If-Match": first.headers["etag"]})
    third = client.put(path_of("y"), json={"title": "Zanzibar gone"}, headers=NEW).json()
    client.delete(path_of("y"))
    assert found_after(client, first.json()["change"], "zanzibar second") == [second.json()["item"]]
    assert "y" not in [document["id"] for document in found_after(client, third["change"], "zanzibar gone")]


def test_each_concurrent_writer_finds_its_own_change(client: Client) -> None:
    """Four clients change one item. Each retries from the current item after a conflict."""
    client.put(path_of("x"), json={"title": "Zanzibar", "note_count": 0}, headers=NEW)

    def add(_: int) -> int:
        while True:
            current = client.get(path_of("x"))
            body = current.json() | {"note_count": current.json()["note_count"] + 1}
            written = client.put(path_of("x"), json=body, headers={"If-Match": current.headers["etag"]})
            if written.status_code == 200:
                [document] = found_after(client, written.json()["change"], "zanzibar")
                assert document["version"] >= written.json()["version"]
                return int(written.json()["version"])
            assert error_of(written) == (412, "version_conflict")

    with ThreadPoolExecutor(4) as threads:
        versions = list(threads.map(add, range(12)))
    assert sorted(versions) == list(range(2, 14))
    assert client.get(path_of("x")).json()["note_count"] == 12
