"""Make the documents of given keys equal to their items now, whatever happened before.

The one primitive behind ties, redrive, repair and resync. It never replays an image: it reads the item, and writes
what the item is. Every write it makes stays right however late it arrives, even from a process that was frozen
between reading and writing, because each is refused as soon as a later change has been settled:

- With external version v = time of the read - margin: every later change carries a version above v, and whoever
  settles it leaves a document or a tombstone at or above that version.
- With ``if_seq_no`` (where the document's version is not below v): whoever settles a later change writes the
  document, even if it finds it equal already (see ``changes`` below), so that its sequence number moves on.
- Where there is no document and a tombstone is not below v, neither holds: a create would bring back an item that
  was deleted between the read and the write. So it waits, at most the margin, until v has passed the tombstone.
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


class DocumentReader(Protocol):
    """What reconciliation needs of a search cluster, besides writing."""

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        """The documents as they are now (realtime), None for each that is not there."""
        ...


ReadItems = Callable[[Sequence[Item]], Sequence[Item | None]]
Build = Callable[[Item | None], Built]


@dataclass(slots=True)
class _Task:
    """One key to settle. ``change`` is the version of the change it is settled for, None for a mere comparison."""

    id: str
    key: Item
    change: int | None
    refused: tuple[bytes | None, str] = (None, "")
    """The body that the cluster refused, and why."""
    marked_absent: bool = False
    built: Built = field(default_factory=Built)

    def wanted(self, built: Built) -> Built:
        """What the item becomes; nothing at all where the cluster refused this very document before."""
        body, reason = self.refused
        # By what it says: DynamoDB may give an item's attributes in another order each time.
        again = body is not None and built.body is not None and same(built.body, decode(body))
        self.built = Built(problem=reason) if again else built
        return self.built

    def write(self, stored: Stored | None, version: int) -> Write | None:
        """What must be written so that the document is, and stays, as built; None when nothing must."""
        body, version = self.built.body, max(version, self.change or 0)
        if same(body, stored.source if stored else None) and (self.change is None or self.marked_absent):
            return None
        if stored is None or version > stored.version:
            return Write(self.id, body, External(version))
        return Write(self.id, body, Unchanged(stored.seq_no, stored.primary_term))


class Reconciler:
    """Settles keys by reading their items with consistent reads."""

    def __init__(
        self,
        documents: DocumentReader,
        writer: Writer,
        read_items: ReadItems,
        build: Build,
        timing: Timing,
        clock: Clock,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._documents = documents
        self._writer = writer
        self._read_items = read_items
        self._build = build
        self._timing = timing
        self._clock = clock
        self._backoff = backoff or Backoff(first_seconds=0.02, max_seconds=0.5)

    def reconcile(
        self, index: str, keys: Mapping[str, Item], deadline: float, changes: Mapping[str, int] | None = None
    ) -> dict[str, Reply]:
        """Settle each document id's key in one index.

        ``changes`` gives the version of the change that a key is settled for: then the document, or its absence,
        is written even where it is right already, so that nobody who read before can overwrite it later.

        APPLIED: the document equals its item. REJECTED: no document can be made of the item (the reason says why),
        and none is left behind. RETRY: the time (``deadline``, of ``clock.monotonic()``) ran out. Raises
        SearchError and SourceError as its ports do.
        """
        replies: dict[str, Reply] = {}
        tasks = [_Task(identity, key, (changes or {}).get(identity)) for identity, key in keys.items()]
        for start in range(0, len(tasks), _MAX_KEYS):
            replies |= self._settle(index, tasks[start : start + _MAX_KEYS], deadline)
        return replies

    def _settle(self, index: str, tasks: Sequence[_Task], deadline: float) -> dict[str, Reply]:
        settled: dict[str, Reply] = {}
        for attempt in count():
            settled |= self._round(index, tasks, deadline)
            tasks = [task for task in tasks if task.id not in settled]
            if not tasks:
                return settled
            pause = self._backoff.pause(attempt)
            if self._clock.monotonic() + pause >= deadline:
                break
            self._clock.sleep(pause)
        return settled | {task.id: Reply(Outcome.RETRY, "it could not be settled in time") for task in tasks}

    def _round(self, index: str, tasks: Sequence[_Task], deadline: float) -> dict[str, Reply]:
        """One look at each key, the document first; one write where it is needed; returns those that are settled."""
        stored = self._documents.get_many(index, [task.id for task in tasks])
        version = read_version(self._clock.now_us(), self._timing)
        items = self._read_items([task.key for task in tasks])
        settled: dict[str, Reply] = {}
        writing: list[tuple[_Task, Write]] = []
        for task, document, item in zip(tasks, stored, items, strict=True):
            task.wanted(self._build(item))
            write = task.write(document, version)
            if write is None:
                settled[task.id] = _final(task.built)
            else:
                writing.append((task, write))
        replies = self._writer.write_once(index, [write for _, write in writing], deadline) if writing else []
        for (task, write), reply in zip(writing, replies, strict=True):
            if reply == APPLIED:
                settled[task.id] = _final(task.built)
            # If it is absent still: what refused the mark is a newer tombstone, which is a mark too.
            task.marked_absent = reply.outcome is not Outcome.RETRY and write.body is None
            if reply.outcome is Outcome.REJECTED:
                task.refused = (write.body, reply.reason)
        return settled


def _final(built: Built) -> Reply:
    return Reply(Outcome.REJECTED, built.problem) if built.problem else APPLIED
