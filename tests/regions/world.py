"""Two regions for the tests: their router, tables, indexes, and clients that search and write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from dynadex.demo.lessons import sync
from dynadex.demo.regions import Region, Regions, running_regions
from dynadex.demo.router import LOCATION_HEADER, Switches
from dynadex.document.body import same
from dynadex.document.typed_json import plain
from dynadex.http.security_headers import REGION_HEADER
from dynadex.local.state import StackFolder
from dynadex.runtime import connect
from dynadex.testing.opensearch import OpenSearchNode
from tests.waiting import HANG_SECONDS, wait_for

FIRST, SECOND = "us-east-1", "eu-west-1"
LOCATIONS = {FIRST: "north-america", SECOND: "europe"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to a search: when and from where it was sent, the region that served it, and the status."""

    sent_at: float
    location: str
    region: str
    status: int


@dataclass
class World:
    """Two regions, with the operations of a client and of a test."""

    regions: Regions
    clusters: Mapping[str, str]

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.regions.url,
            headers={"Authorization": f"Bearer {self.regions.token}"},
            timeout=HANG_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=50),
        )

    def put(self, region: str, identity: str, lesson: Mapping[str, Any]) -> httpx.Response:
        """Write a new lesson as a client near this region."""
        headers = {LOCATION_HEADER: LOCATIONS[region], "If-None-Match": "*"}
        return self.http.put(f"/api/documents/{identity}", json={"id": identity, **lesson}, headers=headers)

    def search(self, region: str, words: str, size: int = 5) -> httpx.Response:
        """Search as a client near this region."""
        return self.http.get(
            "/api/search", params={"q": words, "size": size}, headers={LOCATION_HEADER: LOCATIONS[region]}
        )

    def finds(self, region: str, identity: str, words: str) -> bool:
        """Return whether a search, served by this region, finds the lesson."""
        answer = self.search(region, words)
        # On a busy machine, the region may be unhealthy for a moment.
        is_served_here = answer.is_success and answer.headers[REGION_HEADER] == region
        return is_served_here and any(hit["id"] == identity for hit in answer.json()["hits"])

    def items(self, region: str) -> dict[str, Any]:
        """Return every item of a region's replica."""
        pages = self.regions.dynamodb(region).get_paginator("scan").paginate(TableName=sync.table, ConsistentRead=True)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}

    def cluster(self, region: str) -> str:
        """Return the current URL of a region's search cluster."""
        if region in self.clusters:
            return self.clusters[region]
        stack = StackFolder(Path(self.regions.regions[region].options.directory) / "search").read()
        assert stack
        return stack.endpoints.opensearch

    def documents(self, region: str) -> dict[str, Any]:
        """Return every document of a region's index that is visible to searches."""
        index = connect(sync, self.regions.regions[region].options.settings(self.cluster(region))).index
        index.refresh(sync.index)
        documents: dict[str, Any] = {}
        for page in index.versions(sync.index):
            ids = [identity for identity, _ in page]
            stored = zip(ids, index.get_many(sync.index, ids), strict=True)
            documents |= {identity: document.source for identity, document in stored if document}
        return documents

    def differences(self) -> list[str]:
        """Return the differences between items and documents, and those between the replicas."""
        differences, replicas = [], {region: self.items(region) for region in LOCATIONS}
        for region, items in replicas.items():
            documents = self.documents(region)
            for identity in items.keys() | documents.keys():
                item = items.get(identity)
                if not same(sync.build(item).body, documents.get(identity)):
                    differences.append(f"{region}: {identity}: item {item}, document {documents.get(identity)}")
        first, second = replicas.values()
        differences += [f"replicas: {i}" for i in first.keys() | second.keys() if _plain(first, i) != _plain(second, i)]
        return differences

    def await_equal(self) -> int:
        """Wait until no difference remains; return the number of items in each region."""
        last: list[str] = []

        def equal() -> bool:
            last[:] = self.differences()
            return not last

        try:
            wait_for(equal, "both indexes equal their tables", every_seconds=0.5)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), f"{len(last)} differences", *last[:10]])) from None
        return len(self.items(FIRST))

    def await_healthy(self, *names: str) -> None:
        """Wait until the router considers exactly these regions healthy."""
        wait_for(lambda: sorted(self.regions.ready()) == sorted(names), f"{names} healthy", every_seconds=0.1)


@dataclass
class Load:
    """Searches from every location, and writes, until the block ends."""

    world: World
    answers: list[Answer] = field(default_factory=list)
    failures: list[tuple[float, str]] = field(default_factory=list)
    writes: int = 0
    rejected: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def search(self, region: str) -> None:
        while not self._stop.wait(0.02):
            sent_at = time.monotonic()
            answer = self.world.search(region, "the", size=1)
            with self._lock:
                self.answers.append(
                    Answer(sent_at, LOCATIONS[region], answer.headers.get(REGION_HEADER, ""), answer.status_code)
                )

    def write(self, region: str) -> None:
        """Write new lessons and delete every other one. Right after a region is lost, some writes fail."""
        while not self._stop.wait(0.02):
            identity = f"load-{region}-{uuid4().hex[:8]}"
            answers = [self.world.put(region, identity, {"title": f"Loaded {identity}"})]
            if self.writes % 2:
                headers = {LOCATION_HEADER: LOCATIONS[region]}
                answers.append(self.world.http.delete(f"/api/documents/{identity}", headers=headers))
            with self._lock:
                self.writes += sum(answer.is_success for answer in answers)
                self.rejected += sum(not answer.is_success for answer in answers)

    def since(self, moment: float) -> list[Answer]:
        """Return the responses to searches that were sent after this time."""
        with self._lock:
            return [answer for answer in self.answers if answer.sent_at > moment]


@contextmanager
def load(world: World) -> Iterator[Load]:
    """Run clients in both locations that search and write."""
    made = Load(world)
    threads = [
        threading.Thread(target=act, args=(region,)) for region in LOCATIONS for act in (made.search, made.write)
    ]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made._stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def two_regions(directory: Path, nodes: Mapping[str, OpenSearchNode | str]) -> Iterator[World]:
    """Run two regions. ``nodes`` are search clusters by region; one given by URL outlives its region."""
    clusters = {region: node if isinstance(node, str) else node.url for region, node in nodes.items()}

    def switches(regions: Mapping[str, Region]) -> Switches:
        def cut(name: str) -> None:
            node = nodes.get(name)
            if isinstance(node, OpenSearchNode):
                node.kill()
                node.wipe()
            regions[name].cut()

        def restore(name: str) -> None:
            node = nodes.get(name)
            if isinstance(node, OpenSearchNode):
                node.start()
            regions[name].start()

        return Switches(cut, restore)

    with (
        pytest.MonkeyPatch.context() as patch,
        running_regions([FIRST, SECOND], directory, opensearch_urls=clusters, switches=switches) as regions,
    ):
        # A slow region is healthy. One that was cut refuses connections.
        patch.setattr("dynadex.demo.router._CHECK_SECONDS", HANG_SECONDS)
        world = World(regions, clusters)
        try:
            yield world
        finally:
            world.http.close()


def in_threads(count: int, act: Callable[[int], None]) -> None:
    """Run it in this number of threads. Raises the first error."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            act(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _plain(items: Mapping[str, Any], identity: str) -> Any:
    return plain(items[identity]) if identity in items else None
