"""Wires the parts of one sync together, from settings: the only place that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dynadex import clients
from dynadex.clock import Clock, SystemClock
from dynadex.dead_letters.file import DeadLetterFile
from dynadex.dead_letters.port import DeadLetters
from dynadex.dead_letters.sqs import DeadLetterQueue
from dynadex.document.versioning import Timing
from dynadex.errors import SearchUnavailable
from dynadex.index.adaptive_limit import AdaptiveLimit
from dynadex.index.aliases import SyncAlias, ensure_index
from dynadex.index.indexer import Indexer
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.index.prepare import DocumentRules
from dynadex.index.reconcile import DocumentStore, Reconciler
from dynadex.index.writer import BulkTarget, Writer, WriterLimits
from dynadex.settings import RuntimeSettings
from dynadex.source.table import Table, TableDescription
from dynadex.source.table_scan import TableScan
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.state_table import StateTable
from dynadex.sync import Sync


@dataclass(frozen=True, slots=True)
class Runtime:
    """A sync with everything it talks to."""

    sync: Sync
    settings: RuntimeSettings
    clock: Clock
    table: Table
    description: TableDescription
    index: OpenSearchIndex
    alias: SyncAlias
    writer: Writer
    reconciler: Reconciler
    dead_letters: DeadLetters
    indexer: Indexer

    @property
    def timing(self) -> Timing:
        """What the clocks are worth."""
        return self.settings.timing

    def ensure_index(self, awaits_refill: bool | None = None) -> tuple[str, bool]:
        """The physical index to write to, created if there is none yet; and whether it was.

        A created one is known to await a refill if ``awaits_refill`` says so or, None, if the table holds items now.
        """
        sync = self.sync
        has_items = self.table.has_items if awaits_refill is None else lambda: awaits_refill
        return ensure_index(self.index, sync.index, sync.mappings, sync.settings, self.clock, has_items)

    def scan(self, segment: int = 0, total_segments: int = 1) -> TableScan:
        """A consistent scan of one segment of the table, of ``total_segments``."""
        return TableScan(
            clients.dynamodb(self.settings), self.sync.table, self.clock, segment=segment, total_segments=total_segments
        )

    def checkpoints(self) -> Checkpoints:
        """How far the stream is read, in the state table, which is created if there is none yet."""
        state = self.state()
        state.ensure()
        return Checkpoints(state, self.clock)

    def state(self) -> StateTable:
        """The table of checkpoints and leases."""
        name = self.settings.state_table or f"{self.sync.table}-dynadex"
        return StateTable(clients.dynamodb(self.settings), name, self.sync.index)


@dataclass(frozen=True, slots=True)
class _ToldTarget:
    """A bulk target that tells of every request it could not take now: whoever sends it again does so in silence."""

    target: BulkTarget
    on_unavailable: Callable[[SearchUnavailable], None]

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        try:
            return self.target.bulk(index, body, timeout_seconds)
        except SearchUnavailable as error:
            self.on_unavailable(error)
            raise


def connect(
    sync: Sync,
    settings: RuntimeSettings,
    clock: Clock | None = None,
    on_unavailable: Callable[[SearchUnavailable], None] | None = None,
    on_bulk: Callable[[float, int], None] | None = None,
) -> Runtime:
    """Wire a sync. Looks at the table once, for its key; raises SourceError when it is not there.

    ``on_unavailable`` is told of every write that the search cluster could not take now, and that is sent again;
    ``on_bulk`` of every bulk request, see `Writer`.
    """
    clock = clock or SystemClock()
    table = Table(clients.dynamodb(settings), sync.table, clock)
    description = table.describe()
    index = search_cluster(settings)
    alias = SyncAlias(index, sync.index, clock)
    writer = Writer(
        _ToldTarget(index, on_unavailable) if on_unavailable else index,
        clock,
        WriterLimits(settings.max_bulk_bytes, settings.opensearch_timeout_seconds),
        on_bulk=on_bulk,
        concurrency=AdaptiveLimit(),
    )
    store = DocumentStore(index, writer)
    reconciler = Reconciler(store, table.read_items, sync.build, settings.timing, clock)
    dead_letters = dead_letters_at(settings)
    rules = DocumentRules(description.schema, sync.build, settings.timing)
    indexer = Indexer(rules, alias, store, reconciler, dead_letters, clock)
    return Runtime(sync, settings, clock, table, description, index, alias, writer, reconciler, dead_letters, indexer)


def search_cluster(settings: RuntimeSettings) -> OpenSearchIndex:
    """The search cluster alone, for what needs no table."""
    return OpenSearchIndex(clients.opensearch(settings))


def dead_letters_at(settings: RuntimeSettings) -> DeadLetters:
    """The place that the setting names: ``file:PATH``, or the URL of an SQS queue."""
    where = settings.dead_letters
    if where.startswith(("http://", "https://")):
        return DeadLetterQueue(clients.sqs(settings), where)
    return DeadLetterFile(Path(where.removeprefix("file:")))
