"""A table and an index in memory, and a clock that triggers events while it sleeps, for the tests of verify."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from dynadex import Sync
from dynadex.change import Item
from dynadex.dead_letters.port import DeadLetter, DeadLetters
from dynadex.document.body import encode
from dynadex.document.identity import KeySchema, document_id
from dynadex.index.aliases import SyncAlias
from dynadex.index.bulk import External, Outcome, Write
from dynadex.index.indexer import Indexer
from dynadex.index.opensearch import OpenSearchIndex, Stored
from dynadex.index.prepare import DocumentRules
from dynadex.index.reconcile import DocumentStore, Reconciler
from dynadex.index.writer import Writer
from dynadex.runtime import Runtime
from dynadex.settings import RuntimeSettings
from dynadex.source.table import Table, TableDescription
from dynadex.testing import InMemoryIndex, InMemoryTable, ManualClock
from dynadex.verify.result import Difference, Kind, VerifyResult
from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, VerifyProgress, verify

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

INDEX = "songs-20261124000000"
MAPPINGS = {"properties": {"title": {"type": "text"}, "bars": {"type": "integer"}}}
SINGLE = KeySchema(("id",), ("S",))
COMPOSITE = KeySchema(("pk", "sk"), ("S", "N"))


def document(item: dict[str, Any]) -> dict[str, Any] | None:
    """Exclude hidden items; fail for impossible ones."""
    if item.get("impossible"):
        raise ValueError("secret value")
    return None if item.get("hidden") else item


class EventfulClock(ManualClock):
    """A clock that triggers events: at a number of seconds from the start, or at each sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.started_at = self.monotonic()
        self._events: list[tuple[float, Callable[[], object]]] = []
        self._on_sleep: list[Callable[[], object]] = []

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self._events.append((self.started_at + seconds, event))

    def at_each_sleep(self, event: Callable[[], object]) -> None:
        self._on_sleep.append(event)

    @property
    def elapsed(self) -> float:
        return self.monotonic() - self.started_at

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for due in [scheduled for scheduled in self._events if scheduled[0] <= self.monotonic()]:
            self._events.remove(due)
            due[1]()
        for event in self._on_sleep:
            event()


class FlakyIndex(InMemoryIndex):
    """Raises the errors in ``failures`` first, by the name of the call, and lists pages of 100 documents."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.failures: dict[str, list[Exception]] = {}
        self.listed = self.read = 0

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        self._fail("get_many")
        self.read += len(ids)
        return super().get_many(index, ids)

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        self.listed += 1
        every = [row for page in super().versions(index) for row in page]
        for start in range(0, len(every), 100):
            yield every[start : start + 100]
            self._fail("versions")

    def _fail(self, call: str) -> None:
        if self.failures.get(call):
            raise self.failures[call].pop(0)


@dataclass
class Stage:
    """The runtime of a verify, in memory. ``applied_us`` is the time up to which the stream is applied."""

    schema: KeySchema = SINGLE
    clock: EventfulClock = field(default_factory=EventfulClock)
    applied_us: int | None = None
    letters: list[DeadLetter] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    progress: list[VerifyProgress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.index = FlakyIndex(self.clock)
        self.index.create(INDEX, {"mappings": MAPPINGS, "aliases": {"songs": {}, "songs-sync": {}}})
        self.table = InMemoryTable("songs", self.schema, self.clock)
        self.sync = Sync(table="songs", index="songs", mappings=MAPPINGS, document=document)
        self.writer = Writer(self.index, self.clock)

    def runtime(self) -> Runtime:
        settings, index = RuntimeSettings(dead_letters="file:dead-letters"), cast(OpenSearchIndex, self.index)
        table = Table(cast("DynamoDBClient", self.table), "songs", self.clock)
        store = DocumentStore(index, self.writer)
        reconciler = Reconciler(store, table.read_items, self.sync.build, settings.timing, self.clock)
        alias = SyncAlias(self.index, "songs", self.clock)
        dead_letters = cast(DeadLetters, SimpleNamespace(add=self.letters.extend))
        rules = DocumentRules(self.schema, self.sync.build, settings.timing)
        indexer = Indexer(rules, alias, store, reconciler, dead_letters, self.clock)
        description = TableDescription("songs", self.schema, None, None, len(self.table.items()))
        return Runtime(
            self.sync, settings, self.clock, table, description, index, alias, self.writer, reconciler, dead_letters,
            indexer,
        )  # fmt: skip

    def verify(self, options: VerifyOptions | None = None) -> VerifyResult:
        callbacks = VerifyCallbacks(self.differences.append, self.progress.append)
        return verify(self.runtime(), INDEX, options or VerifyOptions(), callbacks, lambda: self.applied_us)

    def reported(self) -> set[tuple[Kind, str]]:
        """Return the reported differences; fail if one was reported twice."""
        reported = [(difference.kind, difference.id) for difference in self.differences]
        assert len(reported) == len(set(reported))
        return set(reported)

    def put(self, item: Item, *, indexed: bool = True) -> str:
        """Put an item with its document, or (not ``indexed``) without it."""
        self.table.put(item)
        identity = document_id(self.schema, item)
        built = self.sync.build(item)
        if indexed and built.body:
            self.write(identity, built.body)
        return identity

    def song(self, number: int, *, indexed: bool = True, **attributes: Any) -> str:
        title = {"title": {"S": f"Song {number}"}}
        return self.put({"id": {"S": f"song-{number}"}, **title, **attributes}, indexed=indexed)

    def plant(self, identity: str, version: int = 1, **fields: Any) -> None:
        """Write a document regardless of its item."""
        self.write(identity, encode(fields), version)

    def write(self, identity: str, body: bytes | None, version: int | None = None) -> None:
        stored = self.index.get_many(INDEX, [identity])[0]
        version = version or max(self.clock.now_us(), stored.version + 1 if stored else 0)
        [reply] = self.writer.write(INDEX, [Write(identity, body, External(version))], float("inf"))
        assert reply.outcome is Outcome.APPLIED

    def documents(self) -> dict[str, Any]:
        return self.index.documents(INDEX)
