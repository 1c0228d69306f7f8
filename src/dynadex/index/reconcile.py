"""Make the documents of given keys equal to their items now, whatever happened before.

The one primitive behind ties, redrive, repair and resync. It never replays an image: it reads the item, and
writes what the item is. Every round looks at the document first and at the item second, so that a write it makes
can only be wrong if somebody changed the item after that read; and then either the condition of the write fails
(another round), or the change's own stream record arrives later and outranks or ties with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dynadex.change import Item
from dynadex.clock import Backoff, Clock
from dynadex.document.body import Built, same
from dynadex.document.versioning import Timing, read_version
from dynadex.index.bulk import APPLIED, Absent, Condition, External, Outcome, Reply, Unchanged, Write
from dynadex.index.opensearch import Stored
from dynadex.index.writer import Writer

_MOST_KEYS = 100
_ROUNDS = 12


class DocumentReader(Protocol):
    """What reconciliation needs of a search cluster, besides writing."""

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        """The documents as they are now (realtime), None for each that is not there."""
        ...


ReadItems = Callable[[Sequence[Item]], Sequence[Item | None]]
Build = Callable[[Item | None], Built]


@dataclass(frozen=True, slots=True)
class _Step:
    """What one key needs in this round: nothing more (``write`` is None), or a write."""

    write: Write | None
    built: Built


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
        self._backoff = backoff or Backoff(first_seconds=0.02, longest_seconds=1.0)

    def reconcile(self, index: str, keys: Mapping[str, Item], deadline: float) -> dict[str, Reply]:
        """Settle each document id's key in one index.

        APPLIED: the document equals its item now. REJECTED: no document can be made of the item (the reason says
        why), and none is left behind. RETRY: the rounds or the time (``deadline``, of ``clock.monotonic()``) ran
        out. Raises SearchError and SourceError as its ports do.
        """
        replies: dict[str, Reply] = {}
        ids = list(keys)
        for start in range(0, len(ids), _MOST_KEYS):
            some = {identity: keys[identity] for identity in ids[start : start + _MOST_KEYS]}
            replies |= self._settle(index, some, deadline)
        return replies

    def _settle(self, index: str, keys: Mapping[str, Item], deadline: float) -> dict[str, Reply]:
        settled: dict[str, Reply] = {}
        refused: dict[str, tuple[Built, str]] = {}
        pending = dict(keys)
        for attempt in range(_ROUNDS):
            settled |= self._round(index, pending, refused, deadline)
            pending = {identity: key for identity, key in pending.items() if identity not in settled}
            if not pending:
                return settled
            pause = self._backoff.pause(attempt)
            if self._clock.monotonic() + pause >= deadline:
                break
            self._clock.sleep(pause)
        unsettled = Reply(
            Outcome.RETRY, "the document kept changing, or the time budget was spent, while it was settled"
        )
        return settled | dict.fromkeys(pending, unsettled)

    def _round(
        self, index: str, keys: Mapping[str, Item], refused: dict[str, tuple[Built, str]], deadline: float
    ) -> dict[str, Reply]:
        """One look at each key, one write where it differs; returns those that are settled."""
        stored = dict(zip(keys, self._documents.get_many(index, list(keys)), strict=True))
        looked_at_us = self._clock.now_us()
        items = dict(zip(keys, self._read_items(list(keys.values())), strict=True))
        version = read_version(looked_at_us, self._timing)
        steps = {
            identity: _step(identity, self._wanted(items[identity], refused.get(identity)), stored[identity], version)
            for identity in keys
        }
        settled = {identity: _final(step.built) for identity, step in steps.items() if step.write is None}
        written = {identity: step for identity, step in steps.items() if step.write}
        outcomes = self._write(index, written, deadline)
        # What was created past a newer tombstone carries no version of its own time: it needs a second look.
        created = [i for i, reply in outcomes.items() if reply.outcome is Outcome.CONFLICT and stored[i] is None]
        past_tombstone = {i: _create(i, written[i].built) for i in created if written[i].built.body is not None}
        self._write(index, past_tombstone, deadline)
        for identity, reply in outcomes.items():
            if reply.outcome is Outcome.APPLIED:
                settled[identity] = _final(written[identity].built)
            elif reply.outcome is Outcome.REJECTED:
                refused[identity] = (written[identity].built, reply.reason)
        return settled

    def _wanted(self, item: Item | None, refused: tuple[Built, str] | None) -> Built:
        """What the item becomes; nothing at all where the cluster just refused this very document."""
        built = self._build(item)
        if refused and built.body is not None and built.body == refused[0].body:
            return Built(problem=refused[1])
        return built

    def _write(self, index: str, steps: Mapping[str, _Step], deadline: float) -> dict[str, Reply]:
        writes = [step.write for step in steps.values() if step.write]
        return dict(zip(steps, self._writer.write(index, writes, deadline), strict=True)) if writes else {}


def _step(identity: str, built: Built, stored: Stored | None, version: int) -> _Step:
    """Nothing where document and item already agree; else a write whose condition its read justifies."""
    if same(built.body, stored.source if stored else None):
        return _Step(None, built)
    condition: Condition
    if stored is None or version > stored.version:
        condition = External(version)
    else:
        condition = Unchanged(stored.seq_no, stored.primary_term)
    return _Step(Write(identity, built.body, condition), built)


def _create(identity: str, built: Built) -> _Step:
    return _Step(Write(identity, built.body, Absent()), built)


def _final(built: Built) -> Reply:
    return Reply(Outcome.REJECTED, built.problem) if built.problem else APPLIED
