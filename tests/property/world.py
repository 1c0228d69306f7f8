"""A table, its stream, and every concurrent writer of its index, under a clock that the test moves.

The actors run the product's own code: indexer, writer, reconciler, version rule. The world itself does only what AWS
does: it rounds the times of records, delivers batches, redelivers failed ones, and times invocations out.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from dynadex import Sync
from dynadex.clock import Clock
from dynadex.document.body import same
from dynadex.document.versioning import MICROSECONDS, Timing, read_version
from dynadex.index.aliases import SyncAlias
from dynadex.index.apply_records import apply_records
from dynadex.index.indexer import Indexer
from dynadex.index.prepare import DocumentRules
from dynadex.index.reconcile import DocumentStore, Reconciler
from dynadex.index.results import ApplyResult
from dynadex.index.sweep import sweep
from dynadex.index.writer import Writer
from dynadex.refill.plan import fence_seconds
from dynadex.source.stream_event import Record
from dynadex.source.table import Table
from dynadex.state.ack_tracker import lowest
from dynadex.testing import InMemoryIndex, InMemoryTable, ManualClock
from tests.property.ports import Cluster, Fault, MemoryDeadLetters, Reads, UnreliableCluster, UnreliableReads
from tests.property.scheduler import Actor, ActorClock, Scheduler

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAPPINGS: dict[str, Any] = {
    "properties": {"id": {"type": "keyword"}, "title": {"type": "text"}, "hidden": {"type": "boolean"}}
}
INDEX = "songs-20261124000000"
_DEADLINE_SECONDS = 15.0
# Each writing process resolves the alias at its own time.
_PROCESSES = 3
_MAX_INDEXES = 3


def document(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return the item; hidden items are not indexed."""
    return None if item.get("hidden") else item


SYNC = Sync(table="songs", index="songs", mappings=MAPPINGS, document=document)


class Rule(Protocol):
    """How stream records and scanned items are written: the product's rule, or a rival."""

    def apply(self, records: Sequence[Record], deadline: float) -> ApplyResult: ...
    def load(
        self, items: Sequence[Any], requested_at_us: int, deadline: float, indexes: Sequence[str]
    ) -> ApplyResult: ...
    def resync(self, key: Mapping[str, Any], deadline: float) -> None: ...
    def sweep(self, started_at_us: int, indexes: Sequence[str]) -> None: ...


@dataclass(frozen=True)
class Circumstances:
    """Circumstances of a schedule. Times are in seconds unless named otherwise."""

    table_granularity_us: int = MICROSECONDS
    timing: Timing = field(default_factory=Timing)
    skew_us: int = 0
    gc_deletes: str = "15m"
    oldest_actor: float = 20.0
    """Maximum age of an invocation (timed out or not), a scan or a reconciliation."""
    faults: bool = True
    songs: tuple[int, int, int, int] = (20, 10, 2, 1)
    """Weights of the kinds of items: new text, the same text again, not indexed, rejected."""
    actions: Mapping[str, int] = field(default_factory=dict)
    """Weights of actions that differ from the usual weights."""
    fence: Literal["whole", "no", "without late writers"] = "whole"
    """How long a rebuild waits for writers."""


class World:
    """The world of one schedule. A real ``cluster`` has the index already."""

    def __init__(
        self,
        circumstances: Circumstances,
        chance: random.Random,
        cluster: Cluster | None = None,
        index: str = INDEX,
        prefix: str = "",
    ) -> None:
        self.circumstances = circumstances
        self.prefix = prefix
        self.index = index
        self._chance = chance
        self.scheduler = Scheduler(ManualClock(), self._stall)
        clock = self.scheduler.clock
        self.table = InMemoryTable("songs", clock=clock, granularity_us=circumstances.table_granularity_us)
        if cluster is None:
            memory = InMemoryIndex(clock)
            settings = {"index": {"gc_deletes": circumstances.gc_deletes}}
            memory.create(index, {"mappings": MAPPINGS, "settings": settings})
            cluster = memory
        self.cluster = cluster
        self.written = [index]
        """The indexes behind the sync alias."""
        self._fences: list[tuple[float, str]] = []
        self.quiet = False
        self.unreliable = UnreliableCluster(cluster, self.scheduler.pause, self.fault, prefix)
        self.dead_letters = MemoryDeadLetters(self.fault)
        self.clock: Clock = ActorClock(self.scheduler, circumstances.skew_us)
        self.rule: Rule = Product(self)
        self.position = 0
        self.invocation: Actor | None = None
        self.counted = 0
        self.met: Counter[Fault] = Counter()

    # Changes of the table.

    def put(self, name: str, kind: str = "song") -> None:
        """Write an item. ``kind``: song (new text), same (the same text every time), hidden (not indexed) or poison
        (rejected by the mapping)."""
        self.counted += 1
        item: dict[str, Any] = {"id": {"S": self.prefix + name}, "title": {"S": f"v{self.counted}"}}
        if kind == "same":
            item["title"] = {"S": "same"}
        elif kind == "hidden":
            item["hidden"] = {"BOOL": True}
        elif kind == "poison":
            item["title"] = {"M": {"n": {"N": str(self.counted)}}}
        self.table.put(item)

    def remove(self, name: str) -> None:
        self.table.remove({"id": {"S": self.prefix + name}})

    # Writers of the index.

    def invoke(self, batch_size: int) -> None:
        """Deliver the next batch, from the lowest record not acknowledged, unless a batch is in flight."""
        records = self.table.records()[self.position : self.position + batch_size]
        if self.invocation is not None or not records:
            return

        def ended(actor: Actor) -> None:
            if self.invocation is actor:
                self.invocation = None
                self.position += _done(records, actor)

        self.invocation = self.scheduler.spawn("invocation", lambda: self._apply(records), ended)

    def time_out(self) -> None:
        """Let the invocation time out: its batch is redelivered, but its code still runs, as a late writer."""
        self.invocation = None

    def crash(self) -> None:
        """End the invocation at its current step."""
        if self.invocation is not None:
            self.scheduler.kill(self.invocation)
            self.invocation = None

    def replay(self, start: int, count: int) -> None:
        """Deliver records again that were delivered before.

        With a rebuilt index, every record from there on is redelivered, as after a checkpoint that went back: that
        index never received the deletes whose tombstones would reject a few old records.
        """
        if len(self.written) > 1:
            self.position = self.position if self.invocation else min(start, self.position)
            return
        delivered = self.table.records()[: self.position]
        records = delivered[start : start + count]
        if records:
            self.scheduler.spawn("replay", lambda: self._apply(records))

    def scan(self, page_size: int) -> None:
        """Scan the table, and write each page to every index that exists now."""
        self._spawn_scan(page_size, [name for name in self.written if name not in dict(self._fences).values()])

    def rebuild(self) -> None:
        """Create an index that writers also write to, and scan into it once all of them do."""
        if not isinstance(self.cluster, InMemoryIndex) or len(self.written) == _MAX_INDEXES:
            return
        name = f"{self.index[:-1]}{len(self.written)}"
        settings = {"index": {"gc_deletes": self.circumstances.gc_deletes}}
        self.cluster.create(name, {"mappings": MAPPINGS, "settings": settings})
        self.written.append(name)
        late = self.circumstances.oldest_actor if self.circumstances.fence == "whole" else 0.0
        fence = 0 if self.circumstances.fence == "no" else fence_seconds(self.circumstances.timing, late)
        self._fences.append((self.clock.monotonic() + fence, name))

    def resync(self, name: str) -> None:
        """Reconcile one key, as redrive and repair do."""
        key = {"id": {"S": self.prefix + name}}
        self.scheduler.spawn("resync", lambda: self.rule.resync(key, self._deadline()))

    def step(self, choose: Callable[[Sequence[Actor]], Actor]) -> None:
        """Run one actor to its next pause."""
        ready = self.scheduler.ready()
        if ready:
            self.scheduler.step(choose(ready))

    def advance(self, seconds: float) -> None:
        self.scheduler.advance(seconds, self.circumstances.oldest_actor)
        for due, name in list(self._fences):
            if due <= self.clock.monotonic():
                self._fences.remove((due, name))
                self._spawn_scan(1, [name])

    # The end.

    def drain(self) -> None:
        """Stop the faults, let every actor end, in any order, and deliver the stream to its last record."""
        self.quiet = True
        for _ in range(100_000):
            if self.invocation is None:
                self.invoke(batch_size=100)
            if not self.scheduler.actors and not self._fences:
                return
            if not self.scheduler.ready():
                self.advance(0.1)
            self.step(self._chance.choice)
        raise AssertionError("the stream cannot be drained")

    def differences(self) -> list[str]:
        """Return each difference of index and table, and each key that neither index nor dead letters have."""
        ids = sorted({str(record["dynamodb"]["Keys"]["id"]["S"]) for record in self.table.records()})
        return [line for index in self.written for line in self._differences(index, ids)] if ids else []

    def _differences(self, index: str, ids: Sequence[str]) -> list[str]:
        items = self.table.items()
        # One letter covers the key in every index: redrive settles it in all of them.
        dead_lettered = {letter.id for letter in self.dead_letters.letters}
        lines = []
        for identity, stored in zip(ids, self.cluster.get_many(index, ids), strict=True):
            item = items.get(identity)
            poison = item is not None and "M" in item["title"]
            body = None if poison else SYNC.build(item).body
            if not same(body, stored.source if stored else None):
                lines.append(f"{index} {identity}: item {item}, document {stored and stored.source}")
            if poison and identity not in dead_lettered:
                lines.append(f"{index} {identity}: cannot be indexed, but is not dead-lettered")
        return lines

    def _apply(self, records: Sequence[Record]) -> ApplyResult:
        return self.rule.apply(records, self._deadline())

    def _spawn_scan(self, page_size: int, indexes: Sequence[str]) -> None:
        self.scheduler.spawn("scan", lambda: self._scan(page_size, indexes))

    def _scan(self, page_size: int, indexes: Sequence[str]) -> None:
        start = None
        started_at_us = self.clock.now_us()
        for _ in range(1000):
            requested_at_us = self.clock.now_us()
            self.scheduler.pause()
            request = {"TableName": "songs", "Limit": page_size} | ({"ExclusiveStartKey": start} if start else {})
            page = self.table.scan(**request)
            self.scheduler.pause()
            try:
                failed = self.rule.load(page["Items"], requested_at_us, self._deadline(), indexes).failed
            except Exception as error:
                if not getattr(error, "retryable", False):
                    raise
                failed = {"page": str(error)}
            if failed:
                # A page that is not acknowledged is discarded, and scanned again.
                continue
            start = page.get("LastEvaluatedKey")
            if start is None:
                self.rule.sweep(started_at_us, indexes)
                return

    def _deadline(self) -> float:
        return self.clock.monotonic() + _DEADLINE_SECONDS

    def _stall(self) -> float:
        return self._chance.uniform(0, self.circumstances.oldest_actor) if self._chance.random() < 0.08 else 0.0

    def fault(self, call: str) -> Fault:
        if self.quiet or not self.circumstances.faults or self._chance.random() > 0.1:
            return ""
        kinds = {
            "bulk": ("rejected", "reply lost", "partly applied"),
            "read": ("read failed",),
            "add": ("dead-lettering failed",),
        }
        fault = self._chance.choice(kinds[call])
        self.met[fault] += 1
        return fault


class Product:
    """The convergence rule of the product.

    ``settling`` replaces the cluster and the reads that reconciliation uses, for an ablation.
    """

    def __init__(self, world: World, settling: Callable[[Cluster, Reads], tuple[Cluster, Reads]] | None = None) -> None:
        timing = world.circumstances.timing
        table = Table(cast("DynamoDBClient", world.table), "songs", world.clock)
        reads = UnreliableReads(table.read_items, world.scheduler.pause, world.fault)
        cluster, items = settling(world.unreliable, reads) if settling else (world.unreliable, reads)
        self._world = world
        self._writer = Writer(world.unreliable, world.clock)
        settling_store = DocumentStore(cluster, Writer(cluster, world.clock))
        self._reconciler = Reconciler(settling_store, items, SYNC.build, timing, world.clock)
        self._aliases = [SyncAlias(_Admin(world), "songs", world.clock) for _ in range(_PROCESSES)]
        rules = DocumentRules(world.table.schema, SYNC.build, timing)
        store = DocumentStore(world.unreliable, self._writer)
        self._indexers = [
            Indexer(rules, alias, store, self._reconciler, world.dead_letters, world.clock) for alias in self._aliases
        ]
        self._turn = count()

    def apply(self, records: Sequence[Record], deadline: float) -> ApplyResult:
        return apply_records(self._indexers[next(self._turn) % _PROCESSES], records, deadline)

    def load(self, items: Sequence[Any], requested_at_us: int, deadline: float, indexes: Sequence[str]) -> ApplyResult:
        indexer = self._indexers[0]
        return indexer.load(indexer.prepare_items(items, requested_at_us), deadline, indexes)

    def sweep(self, started_at_us: int, indexes: Sequence[str]) -> None:
        version = read_version(started_at_us, self._world.circumstances.timing)
        for index in indexes:
            sweep(self._world.unreliable, self._writer, index, version, self._world.clock)

    def resync(self, key: Mapping[str, Any], deadline: float) -> None:
        for index in self._aliases[next(self._turn) % _PROCESSES].current():
            self._reconciler.reconcile(index, {key["id"]["S"]: key}, deadline)


class _Admin(InMemoryIndex):
    """Resolves the sync alias of a world."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def indexes_behind(self, alias: str) -> list[str]:  # noqa: ARG002
        return list(self._world.written)


def _done(records: Sequence[Record], actor: Actor) -> int:
    """Return how many records are acknowledged, by Lambda's partial batch response; none if the function failed."""
    if actor.error is not None:
        if not getattr(actor.error, "retryable", False):
            raise actor.error
        return 0
    first = lowest(actor.result.failed)
    if first is None:
        return len(records)
    return [record["dynamodb"]["SequenceNumber"] for record in records].index(first)
