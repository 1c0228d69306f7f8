"""Reconciliation: make the current documents of given keys equal to their current items.

Ties, redrive and repair all use it. It never writes an image from the stream: it reads the item, and writes the
document of that item. Each of its writes stays correct regardless of when it arrives, even from a process that was
frozen between its read and its write, because OpenSearch rejects the write once a later change has been settled:

- A write with external version v = time of the read - margin: every later change carries a version above v, and
  settling it leaves a document or a tombstone at or above that version.
- A write with ``if_seq_no``, used where the document's version is not below v: settling a later change writes the
  document even if it is equal already (``changes`` of `Reconciler.reconcile`), which raises its sequence number.
- Where a tombstone is not below v, neither helps: a plain create would restore the document of an item that was
  deleted between the read and the write. So reconciliation waits, at most the margin, until v has passed the tombstone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.body import Built, decode, same
from dynadex.document.versioning import Timing, read_version
from dynadex.index.bulk import APPLIED, External, Outcome, Reply, Unchanged, Write
from dynadex.index.opensearch import Stored
from dynadex.index.writer import Writer
from dynadex.retry import Backoff

_MAX_KEYS = 100
_BACKOFF = Backoff(first_seconds=0.02, max_seconds=0.5)


class DocumentReader(Protocol):
    """Realtime reads of documents."""

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        """Return the current documents (realtime), None for each id without one."""
        ...


@dataclass(frozen=True, slots=True)
class DocumentStore:
    """Access to the documents of the search cluster."""

    reader: DocumentReader
    writer: Writer


# Consistent reads of items by key: None for each key without one.
ReadItems = Callable[[Sequence[Item]], Sequence[Item | None]]
Build = Callable[[Item | None], Built]


@dataclass(slots=True)
class _Task:
    """One key to reconcile, for the change of version ``change_version`` or, None, for a comparison."""

    id: str
    key: Item
    change_version: int | None
    rejected: tuple[bytes | None, str] = (None, "")
    """The body that the cluster rejected, with its reason."""
    marked_absent: bool = False
    built: Built = field(default_factory=Built)

    def plan(self, built: Built) -> None:
        """Set the document built from the item: none, if the cluster rejected an equal document before."""
        body, reason = self.rejected
        # Equal by content: DynamoDB may return an item's attributes in a different order each time.
        rejected_before = body is not None and built.body is not None and same(built.body, decode(body))
        self.built = Built(problem=reason) if rejected_before else built

    def write(self, stored: Stored | None, version: int) -> Write | None:
        """Return the write that makes the document equal to the built one and protects it; None if not needed."""
        body, version = self.built.body, max(version, self.change_version or 0)
        equal = same(body, stored.source if stored else None)
        if equal and (self.change_version is None or self.marked_absent):
            return None
        if stored is None or version > stored.version:
            return Write(self.id, body, External(version))
        return Write(self.id, body, Unchanged(stored.seq_no, stored.primary_term))


class Reconciler:
    """Reconciles keys with consistent reads of their items."""

    def __init__(self, store: DocumentStore, read_items: ReadItems, build: Build, timing: Timing, clock: Clock) -> None:
        self._documents = store.reader
        self._writer = store.writer
        self._read_items = read_items
        self._build = build
        self._timing = timing
        self._clock = clock

    def reconcile(
        self, index: str, keys: Mapping[str, Item], deadline: float, changes: Mapping[str, int] | None = None
    ) -> dict[str, Reply]:
        """Make the documents of these keys equal to their items, in one index.

        Args:
            index: Name of the physical index.
            keys: Key of each document id.
            deadline: Reading of ``clock.monotonic()``.
            changes: Version of the change that a document id is reconciled for. Its document, or its absence, is
                then written even if it is correct already, so that a writer that read earlier cannot overwrite it.

        Returns:
            A reply for each document id. APPLIED: the document equals its item. REJECTED: the item has no document,
            because none can be built or OpenSearch rejects it, for the reason given. RETRY: the deadline came first.

        Raises:
            SearchError: The search cluster rejects a request, or is unavailable.
            SourceError: The items cannot be read.
        """
        replies: dict[str, Reply] = {}
        tasks = [_Task(identity, key, (changes or {}).get(identity)) for identity, key in keys.items()]
        for start in range(0, len(tasks), _MAX_KEYS):
            replies |= self._settle(index, tasks[start : start + _MAX_KEYS], deadline)
        return replies

    def _settle(self, index: str, tasks: Sequence[_Task], deadline: float) -> dict[str, Reply]:
        """Repeat rounds until every key is settled or the deadline is near."""
        settled: dict[str, Reply] = {}
        for attempt in count():
            settled |= self._round(index, tasks, deadline)
            tasks = [task for task in tasks if task.id not in settled]
            if not tasks:
                return settled
            pause = _BACKOFF.pause(attempt)
            if self._clock.monotonic() + pause >= deadline:
                break
            self._clock.sleep(pause)
        return settled | {task.id: Reply(Outcome.RETRY, "its key could not be reconciled in time") for task in tasks}

    def _round(self, index: str, tasks: Sequence[_Task], deadline: float) -> dict[str, Reply]:
        """Read each document, then its item, write the difference once, and return the keys that are settled."""
        stored = self._documents.get_many(index, [task.id for task in tasks])
        version = read_version(self._clock.now_us(), self._timing)
        items = self._read_items([task.key for task in tasks])
        settled: dict[str, Reply] = {}
        writing: list[tuple[_Task, Write]] = []
        for task, document, item in zip(tasks, stored, items, strict=True):
            task.plan(self._build(item))
            write = task.write(document, version)
            if write is None:
                settled[task.id] = _final(task.built)
            else:
                writing.append((task, write))
        replies = self._writer.write_once(index, [write for _, write in writing], deadline) if writing else []
        for (task, write), reply in zip(writing, replies, strict=True):
            if reply == APPLIED:
                settled[task.id] = _final(task.built)
            # A rejected delete of an absent document was rejected by a newer tombstone, which has the same effect.
            task.marked_absent = reply.outcome is not Outcome.RETRY and write.body is None
            if reply.outcome is Outcome.REJECTED:
                task.rejected = (write.body, reply.reason)
        return settled


def _final(built: Built) -> Reply:
    return Reply(Outcome.REJECTED, built.problem) if built.problem else APPLIED
