"""Two regions as a test sees them: through the router, and behind it."""

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

from dynadex.demo.lessons import sync
from dynadex.demo.regions import Region, Regions, running_regions
from dynadex.demo.router import LOCATION_HEADER, Switches
from dynadex.document.body import same
from dynadex.document.typed_json import plain
from dynadex.http.security_headers import REGION_HEADER
from dynadex.local.state import StackFolder
from dynadex.runtime import connect
from tests.opensearch_node import OpenSearchNode
from tests.process.processes import wait_for

FIRST, SECOND = "us-east-1", "eu-west-1"
LOCATIONS = {FIRST: "north-america", SECOND: "europe"}
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered search: when it was asked, from where, and who answered how."""

    asked_at: float
    location: str
    region: str
    status: int


@dataclass
class World:
    """Regions, and what people do to them."""

    regions: Regions
    clusters: Mapping[str, str]

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.regions.url,
            headers={"Authorization": f"Bearer {self.regions.token}"},
            timeout=30,
            trust_env=False,
            limits=httpx.Limits(max_connections=50),
        )

    def put(self, region: str, identity: str, lesson: Mapping[str, Any]) -> httpx.Response:
        """Write a new lesson as somebody near this region."""
        headers = {LOCATION_HEADER: LOCATIONS[region], "If-None-Match": "*"}
        return self.http.put(f"/api/documents/{identity}", json={"id": identity, **lesson}, headers=headers)

    def search(self, region: str, words: str, size: int = 5) -> httpx.Response:
        """Search as somebody near this region."""
        return self.http.get(
            "/api/search", params={"q": words, "size": size}, headers={LOCATION_HEADER: LOCATIONS[region]}
        )

    def found(self, region: str, identity: str, words: str) -> bool:
        """Whether this region itself, which must be the one that answers, finds the lesson."""
        answer = self.search(region, words)
        assert answer.headers[REGION_HEADER] == region
        return answer.is_success and any(hit["id"] == identity for hit in answer.json()["hits"])

    def items(self, region: str) -> dict[str, Any]:
        """Every item of a region's replica."""
        pages = self.regions.dynamodb(region).get_paginator("scan").paginate(TableName=sync.table, ConsistentRead=True)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}

    def cluster(self, region: str) -> str:
        """Where a region's search cluster answers now."""
        if region in self.clusters:
            return self.clusters[region]
        stack = StackFolder(Path(self.regions.regions[region].options.directory) / "search").read()
        assert stack
        return stack.endpoints.opensearch

    def documents(self, region: str) -> dict[str, Any]:
        """Every document of a region's index that a search can find."""
        index = connect(sync, self.regions.regions[region].options.settings(self.cluster(region))).index
        index.refresh(sync.index)
        found: dict[str, Any] = {}
        for page in index.versions(sync.index):
            ids = [identity for identity, _ in page]
            stored = zip(ids, index.get_many(sync.index, ids), strict=True)
            found |= {identity: one.source for identity, one in stored if one}
        return found

    def differences(self) -> list[str]:
        """Every document that is not what its region's item becomes, and every item that is not the same in both."""
        told, replicas = [], {region: self.items(region) for region in LOCATIONS}
        for region, items in replicas.items():
            documents = self.documents(region)
            for identity in items.keys() | documents.keys():
                item = items.get(identity)
                if not same(sync.build(item).body, documents.get(identity)):
                    told.append(f"{region}: {identity}: item {item}, document {documents.get(identity)}")
        first, second = replicas.values()
        told += [f"replicas: {i}" for i in first.keys() | second.keys() if _plain(first, i) != _plain(second, i)]
        return told

    def await_equal(self) -> int:
        """Wait until nothing differs; how many documents there are then in each region."""
        last: list[str] = []

        def equal() -> bool:
            last[:] = self.differences()
            return not last

        try:
            wait_for(equal, "both indexes equal their tables", _SETTLE_SECONDS, 0.5)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), f"{len(last)} differences", *last[:10]])) from None
        return len(self.items(FIRST))

    def await_healthy(self, *names: str) -> None:
        """Wait until the router takes exactly these regions for healthy."""
        wait_for(lambda: sorted(self.regions.ready()) == sorted(names), f"{names} healthy", _SETTLE_SECONDS, 0.1)


@dataclass
class Load:
    """Searches from every location, and writes, until the block ends."""

    world: World
    answers: list[Answer] = field(default_factory=list)
    failures: list[tuple[float, str]] = field(default_factory=list)
    writes: int = 0
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def search(self, region: str) -> None:
        while not self._stop.wait(0.02):
            asked_at = time.monotonic()
            answer = self.world.search(region, "the", size=1)
            with self._lock:
                self.answers.append(
                    Answer(asked_at, LOCATIONS[region], answer.headers.get(REGION_HEADER, ""), answer.status_code)
                )

    def write(self, region: str) -> None:
        """A new lesson, then its end, and again: while a region is gone, the router may not have seen it yet."""
        while not self._stop.wait(0.02):
            identity = f"load-{region}-{uuid4().hex[:8]}"
            answers = [self.world.put(region, identity, {"title": f"Loaded {identity}"})]
            if self.writes % 2:
                headers = {LOCATION_HEADER: LOCATIONS[region]}
                answers.append(self.world.http.delete(f"/api/documents/{identity}", headers=headers))
            with self._lock:
                self.writes += sum(answer.is_success for answer in answers)
                self.refused += sum(not answer.is_success for answer in answers)

    def since(self, moment: float) -> list[Answer]:
        """Answers to what was asked after this moment."""
        with self._lock:
            return [one for one in self.answers if one.asked_at > moment]


@contextmanager
def load(world: World) -> Iterator[Load]:
    """People in both locations search and write."""
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
    """Two regions; ``nodes``: the search cluster of each that has none in memory, by URL where it outlives a cut."""
    clusters = {region: one if isinstance(one, str) else one.url for region, one in nodes.items()}

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

    with running_regions([FIRST, SECOND], directory, opensearch_urls=clusters, switches=switches) as regions:
        world = World(regions, clusters)
        try:
            yield world
        finally:
            world.http.close()


def in_threads(count: int, act: Callable[[int], None]) -> None:
    """Do it that many times at once; fails as the first of them failed."""
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
