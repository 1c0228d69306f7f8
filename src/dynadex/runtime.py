"""Connects a Sync to its table, index, state and dead letters. Only this module knows all of them."""

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
    """A Sync and everything that it needs to run."""

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
        """Granularity and clock skew, from which versions are computed."""
        return self.settings.timing

    def ensure_index(self, awaits_refill: bool | None = None) -> tuple[str, bool]:
        """Return the name of the physical index that is written to, and whether this call created it.

        ``awaits_refill``: whether a created index is marked as not filled yet. None: mark it if the table holds items.
        Raises SearchError.
        """
        sync = self.sync
        has_items = self.table.has_items if awaits_refill is None else lambda: awaits_refill
        return ensure_index(self.index, sync.index, sync.mappings, sync.settings, self.clock, has_items)

    def scan(self, segment: int = 0, total_segments: int = 1) -> TableScan:
        """Return a consistent scan of one of ``total_segments`` segments of the table."""
        return TableScan(
            clients.dynamodb(self.settings), self.sync.table, self.clock, segment=segment, total_segments=total_segments
        )

    def checkpoints(self) -> Checkpoints:
        """Return the checkpoints in the state table, which is created if it does not exist. Raises StateError."""
        state = self.state()
        state.ensure()
        return Checkpoints(state, self.clock)

    def state(self) -> StateTable:
        """Return the state table, which may not exist yet: ``TABLE-dynadex`` unless the settings name another one."""
        name = self.settings.state_table or f"{self.sync.table}-dynadex"
        return StateTable(clients.dynamodb(self.settings), name, self.sync.index)


@dataclass(frozen=True, slots=True)
class _ReportingTarget:
    """A bulk target that reports each request that failed for now, which `Writer` retries without a log message."""

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
    """Connect a Sync to its table, index, state and dead letters.

    Reads the description of the table once, for its key schema.

    Args:
        sync: The Sync to connect.
        settings: Endpoints, limits and timeouts.
        clock: The clock of all parts; the system's by default.
        on_unavailable: Called with the error of each bulk request that the search cluster could not accept, before the
            request is retried.
        on_bulk: Called after each bulk request with its duration in seconds and the number of writes that the cluster
            could not accept.

    Returns:
        The runtime of the Sync.

    Raises:
        SourceError: The table cannot be read.
    """
    clock = clock or SystemClock()
    table = Table(clients.dynamodb(settings), sync.table, clock)
    description = table.describe()
    index = search_cluster(settings)
    alias = SyncAlias(index, sync.index, clock)
    writer = Writer(
        _ReportingTarget(index, on_unavailable) if on_unavailable else index,
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
    """Return the search cluster without a table, for commands that need no more."""
    return OpenSearchIndex(clients.opensearch(settings))


def dead_letters_at(settings: RuntimeSettings) -> DeadLetters:
    """Return the dead letters that the setting names: ``file:PATH``, or the URL of an SQS queue."""
    where = settings.dead_letters
    if where.startswith(("http://", "https://")):
        return DeadLetterQueue(clients.sqs(settings), where)
    return DeadLetterFile(Path(where.removeprefix("file:")))
