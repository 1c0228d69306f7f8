"""Applies changes and scanned items to every index behind a sync: the only writer of documents there is.

The stream handler, the worker and the refill all come through here, so the convergence rule stands once:
write with the version of the change, look at what conflicted, reconcile what cannot be told from versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from dynadex.change import Change, Item
from dynadex.clock import Clock
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.versioning import Timing, is_stale, latest, read_version
from dynadex.index.bulk import External, Outcome, Reply, Write
from dynadex.index.dead_letters import DeadLetter, DeadLetters, ParkingError
from dynadex.index.reconcile import Build, DocumentReader, Reconciler
from dynadex.index.writer import Writer


@dataclass(slots=True)
class Tally:
    """What became of some changes or items, counted per index."""

    applied: int = 0
    stale: int = 0
    reconciled: int = 0
    parked: int = 0
    retries: int = 0
    newest_us: int = 0
    """Time of the newest change applied, in microseconds; lag is measured against it."""
    failed: dict[str, str] = field(default_factory=dict)
    """Sequence number (of changes) or document id (of items) -> reason: neither applied nor parked, to be retried."""
    skipped: int = 0
    """Items that are not indexed."""


class Indexes(Protocol):
    """Knows which physical indexes are written to now."""

    def current(self) -> Sequence[str]:
        """Their names; raises SearchError when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class _Parked:
    index: str
    reason: str


class Indexer:
    """Writes documents by the convergence rule."""

    def __init__(
        self,
        schema: KeySchema,
        build: Build,
        indexes: Indexes,
        documents: DocumentReader,
        writer: Writer,
        reconciler: Reconciler,
        dead_letters: DeadLetters,
        timing: Timing,
        clock: Clock,
    ) -> None:
        self._schema = schema
        self._build = build
        self._indexes = indexes
        self._documents = documents
        self._writer = writer
        self._reconciler = reconciler
        self._dead_letters = dead_letters
        self._timing = timing
        self._clock = clock

    def apply(self, changes: Sequence[Change], deadline: float) -> Tally:
        """Apply changes to every index; those of one key count as one, the latest.

        Every change not in ``failed`` of the result is applied, known to be stale, or parked. ``deadline`` is of
        ``clock.monotonic()``. Raises SearchError or SourceError when something other than the data is at fault;
        then nothing may be taken as applied.
        """
        tally = Tally()
        identified: list[tuple[str, Change]] = []
        unidentified: list[DeadLetter] = []
        for change in changes:
            try:
                identified.append((document_id(self._schema, change.key), change))
            except ValueError as error:
                unidentified.append(self.letter("", "", change.key, str(error), change.sequence_number))
        chosen = latest(identified)
        failed: dict[str, str] = {}
        parked: dict[str, _Parked] = {}
        for index in self._indexes.current():
            self._apply_to(index, chosen, deadline, tally, failed, parked)
        letters = [
            self.letter(where.index, i, chosen[i].key, where.reason, chosen[i].sequence_number)
            for i, where in parked.items()
        ]
        problem = self.park([*letters, *unidentified], tally)
        if problem:
            failed |= dict.fromkeys(parked, problem)
            tally.failed |= {str(letter.sequence_number): problem for letter in unidentified}
        tally.failed |= {change.sequence_number: failed[i] for i, change in identified if i in failed}
        tally.newest_us = max((c.time_us for i, c in identified if i not in failed), default=0)
        return tally

    def load(self, items: Iterable[Item], requested_at_us: int, deadline: float, indexes: Sequence[str]) -> Tally:
        """Write items of one scanned page, requested at the given time, to the given indexes.

        A conflict is success: the index already holds something at least as new, or the stream will bring it.
        An item that is not indexed is written as a delete. Raises as ``apply`` does.
        """
        tally = Tally()
        version = External(read_version(requested_at_us, self._timing))
        keys: dict[str, Item] = {}
        writes: list[Write] = []
        problems: dict[str, str] = {}
        for item in items:
            key = self._schema.key_of(item)
            identity = document_id(self._schema, key)
            built = self._build(item)
            keys[identity] = key
            problems |= {identity: built.problem} if built.problem else {}
            tally.skipped += built.body is None and not built.problem
            writes.append(Write(identity, built.body, version))
        for index in indexes:
            replies = dict(zip(keys, self._writer.write(index, writes, deadline), strict=True))
            refused = {i: keys[i] for i in keys if replies[i].outcome is Outcome.REJECTED or i in problems}
            replies |= self._reconcile(index, refused, deadline, tally)
            self._count(replies, tally)
            letters = [self.letter(index, i, keys[i], r.reason) for i, r in replies.items() if _is(r, Outcome.REJECTED)]
            problem = self.park(letters, tally)
            tally.failed |= {letter.id: problem for letter in letters if problem}
            tally.failed |= {i: r.reason for i, r in replies.items() if _is(r, Outcome.RETRY)}
        return tally

    def _apply_to(
        self,
        index: str,
        chosen: Mapping[str, Change],
        deadline: float,
        tally: Tally,
        failed: dict[str, str],
        parked: dict[str, _Parked],
    ) -> None:
        """Rules 1 and 3 for one index."""
        writes: list[Write] = []
        unsettled: set[str] = set()
        for identity, change in chosen.items():
            built = self._build(change.image)
            if not change.image_known or built.problem:
                unsettled.add(identity)
            else:
                writes.append(Write(identity, built.body, External(max(1, change.time_us))))
        replies = {write.id: reply for write, reply in zip(writes, self._write(index, writes, deadline), strict=True)}
        conflicts = [write for write in writes if _is(replies[write.id], Outcome.CONFLICT)]
        ties = self._ties(index, conflicts, chosen)
        tally.stale += len(conflicts) - len(ties)
        refused = {i for i, reply in replies.items() if _is(reply, Outcome.REJECTED)}
        keys = {identity: chosen[identity].key for identity in chosen if identity in unsettled | ties | refused}
        replies |= self._reconcile(index, keys, deadline, tally)
        self._count(replies, tally)
        for identity, reply in replies.items():
            if _is(reply, Outcome.RETRY):
                failed[identity] = reply.reason
            elif _is(reply, Outcome.REJECTED):
                parked[identity] = _Parked(index, reply.reason)

    def _ties(self, index: str, conflicts: Sequence[Write], chosen: Mapping[str, Change]) -> set[str]:
        """Which conflicts the versions cannot settle. A delete that finds no document needs nothing more."""
        if not conflicts:
            return set()
        found = self._documents.get_many(index, [write.id for write in conflicts])
        ties = set()
        for write, stored in zip(conflicts, found, strict=True):
            if stored is None:
                if write.body is not None:
                    ties.add(write.id)
            elif not is_stale(chosen[write.id].time_us, stored.version, self._timing):
                ties.add(write.id)
        return ties

    def _write(self, index: str, writes: Sequence[Write], deadline: float) -> list[Reply]:
        return self._writer.write(index, writes, deadline) if writes else []

    def _reconcile(self, index: str, keys: Mapping[str, Item], deadline: float, tally: Tally) -> dict[str, Reply]:
        tally.reconciled += len(keys)
        return self._reconciler.reconcile(index, keys, deadline) if keys else {}

    def _count(self, replies: Mapping[str, Reply], tally: Tally) -> None:
        tally.applied += sum(_is(reply, Outcome.APPLIED) for reply in replies.values())

    def letter(
        self, index: str, identity: str, key: Item | None, reason: str, sequence_number: str | None = None
    ) -> DeadLetter:
        """A dead letter of now."""
        now = datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC).isoformat(timespec="milliseconds")
        return DeadLetter(index, identity, key, reason, sequence_number, now)

    def park(self, letters: Sequence[DeadLetter], tally: Tally) -> str:
        """Park them; the reason when that fails, since then their records must be reported as failed."""
        if not letters:
            return ""
        try:
            self._dead_letters.park(letters)
        except ParkingError as error:
            return str(error)
        tally.parked += len(letters)
        return ""


def _is(reply: Reply, outcome: Outcome) -> bool:
    return reply.outcome is outcome
