"""The demo in several regions on one machine: a replicated table, an index, worker and service each, and a router."""

from __future__ import annotations

import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from dynadex import clients
from dynadex.clock import Clock, SystemClock
from dynadex.demo.demo import WATCH_SECONDS, DemoCallbacks, DemoOptions, await_indexed, create_table, load_lessons
from dynadex.demo.lessons import sync
from dynadex.demo.region import RegionOptions
from dynadex.demo.router import Router, Switches
from dynadex.demo.routing import routes_for
from dynadex.demo.service import TOKEN_SECONDS
from dynadex.errors import LocalStackError
from dynadex.http.auth import TokenAuth
from dynadex.http.server import listening, serving, url_of
from dynadex.local import programs
from dynadex.local.child import Child, await_urls
from dynadex.local.engine import Engine, available
from dynadex.local.stack import already_running
from dynadex.local.state import StackFolder
from dynadex.settings import RuntimeSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger(__name__)

SYNC = "dynadex.demo.lessons:sync"
_NAME = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_POLL_SECONDS = 0.05


@dataclass
class Region:
    """One region: its process, which can be killed and started again."""

    options: RegionOptions
    clock: Clock = field(default_factory=SystemClock)
    url: str | None = None
    _child: Child | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start it and wait until it responds; it is ready once its index is filled. Raises LocalStackError."""
        with self._lock:
            if self._child is not None:
                return
            self._child = Child(self.options.program())
            self.url = await_urls({self.options.name: self._child}, self.clock)[self.options.name]

    def cut(self) -> None:
        """Kill index, worker and service."""
        with self._lock:
            child, self._child, self.url = self._child, None, None
            if child:
                child.kill()

    def check(self) -> None:
        """Raise LocalStackError if its process has ended unexpectedly."""
        child = self._child
        if child and self.url:
            child.check()

    def stop(self) -> None:
        """Stop it."""
        with self._lock:
            child, self._child, self.url = self._child, None, None
            if child:
                child.stop()


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions by name. ``url`` is the address of the router, ``token`` permits writes."""

    url: str
    regions: Mapping[str, Region]
    token: str
    settings: RuntimeSettings

    def dynamodb(self, region: str) -> DynamoDBClient:
        """Return a client of the region's own replica of the table."""
        return clients.dynamodb(replace(self.settings, region=region))

    def ready(self) -> list[str]:
        """Return the names of the regions that the router considers healthy."""
        states = httpx.get(f"{self.url}/regions", trust_env=False).json()["regions"]
        return [state["name"] for state in states if state["healthy"]]

    def min_documents(self) -> int:
        """Return the number of documents in the region with the fewest documents."""
        counts = []
        for region in self.regions.values():
            response = httpx.get(f"{region.url}/api/search?size=0", trust_env=False)
            counts.append(response.json()["total"] if response.is_success else 0)
        return min(counts)

    def check(self) -> None:
        """Raise LocalStackError if the process of a region has ended unexpectedly."""
        for region in self.regions.values():
            region.check()


def checked_names(names: Sequence[str]) -> list[str]:
    """Return the names if they are two to four different regions. Raises LocalStackError."""
    invalid = [name for name in names if not _NAME.fullmatch(name)]
    if invalid or len({*names}) < len(names) or not 2 <= len(names) <= 4:
        reason = (
            f"{invalid[0]!r} is not a valid region name" if invalid else "two to four different regions are required"
        )
        raise LocalStackError("run regions", ", ".join(names), reason, "For example: --regions us-east-1,eu-west-1.")
    return list(names)


@contextmanager
def running_regions(
    names: Sequence[str],
    directory: Path,
    port: int = 0,
    opensearch_urls: Mapping[str, str] | None = None,
    engine: Engine = Engine.OPENSEARCH,
    switches: Callable[[Mapping[str, Region]], Switches] | None = None,
) -> Iterator[Regions]:
    """Run the regions and their router until the block ends. Raises LocalStackError.

    ``opensearch_urls`` are running search clusters by region; the other regions each start ``engine``. ``switches``
    shut down and restart a region; by default, they kill and start its process.
    """
    folder = StackFolder(directory)
    folder.prepare()
    if not folder.lock():
        raise already_running(folder)
    secret = secrets.token_bytes(32)
    dynamodb, regions = Child(programs.dynamodb(folder, None)), dict[str, Region]()
    try:
        settings = RuntimeSettings.from_environment(
            dynamodb_url=await_urls({"dynamodb": dynamodb})["dynamodb"], region=names[0]
        )
        _create_replicated(clients.dynamodb(settings), names)
        for name in names:
            options = RegionOptions(
                name, str(folder.path / name), SYNC, settings.dynamodb_url or "", secret.hex(),
                (opensearch_urls or {}).get(name), engine,
            )  # fmt: skip
            regions[name] = Region(options)
        _start(regions)
        actions = switches(regions) if switches else Switches(lambda n: regions[n].cut(), lambda n: regions[n].start())
        router = Router(routes_for(names), lambda: {name: region.url for name, region in regions.items()}, actions)
        with listening(port) as sock, serving(router.app(), sock):
            yield Regions(url_of(sock), regions, TokenAuth(secret).token(TOKEN_SECONDS), settings)
    finally:
        for region in regions.values():
            region.stop()
        dynamodb.stop()
        folder.unlock()


def run_regions(options: DemoOptions, names: Sequence[str], stop: threading.Event, callbacks: DemoCallbacks) -> None:
    """Run the demo in several regions until ``stop`` is set. Raises DynadexError if a part of it fails."""
    with running_regions(names, options.directory, options.port, engine=available(options.engine)) as running:
        for name, region in running.regions.items():
            log_file = Path(region.options.directory) / "region.log"
            _log.info(f"{name}: {region.url}, log {log_file}", extra={"region": name, "url": region.url})
        loaded = load_lessons(running.dynamodb(names[0]), options.songs, stop, callbacks)
        await_indexed(running.min_documents, loaded, stop, running.check, callbacks.on_indexed)
        # Until the router has checked every region again, it sends all requests to the region that was ready first.
        while len(running.ready()) < len(names) and not stop.wait(_POLL_SECONDS):
            running.check()
        if stop.is_set():
            return
        callbacks.on_ready(running.url, running.token)
        while not stop.wait(WATCH_SECONDS):
            running.check()


def _create_replicated(dynamodb: DynamoDBClient, names: Sequence[str]) -> None:
    """Create the table with a replica in each other region, each with its own stream."""
    create_table(dynamodb, sync.table)
    updates: Any = [{"Create": {"RegionName": name}} for name in names[1:]]
    dynamodb.update_table(TableName=sync.table, ReplicaUpdates=updates)


def _start(regions: Mapping[str, Region]) -> None:
    """Start the regions in parallel, because each waits for its own processes. Raises the first error."""
    failures: list[BaseException] = []

    def start(region: Region) -> None:
        try:
            region.start()
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=start, args=(region,)) for region in regions.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
