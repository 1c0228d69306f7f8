"""Applies changes and scanned items to every index behind a sync: the only writer of documents there is.

The stream handler, the worker and the refill all come through here, so the convergence rule stands once:
write with the version of the change, look at what conflicted, reconcile what cannot be told from versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from dynadex.change import Change, Item
from dynadex.clock import Clock, iso
from dynadex.document.body import Built
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.versioning import Timing, is_stale, latest, read_version
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.index.bulk import APPLIED, External, Outcome, Reply, Write
from dynadex.index.dead_letters import DeadLetter, Parking, ParkingError
from dynadex.index.reconcile import Build, DocumentReader, Reconciler
from dynadex.index.tally import Tally
from dynadex.index.writer import Writer

Send = Callable[[str, Sequence[Write], float], list[Reply]]


class Indexes(Protocol):
    """Knows which physical indexes are written to now."""

    def current(self) -> Sequence[str]:
        """Their names; raises SearchError when there is none."""
        ...

    def retired(self, index: str) -> bool:
        """Whether an index that was to be written a moment ago no longer is."""
        ...


class _Wanted(NamedTuple):
    """What is to be written for a document id, and with which version."""

    built: Built
    version: int


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
        dead_letters: Parking,
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
            try:
                self._apply_to(index, chosen, deadline, tally, failed, parked)
            except SearchError as error:
                if not error.not_found or not self._indexes.retired(index):
                    raise
                # Not passed over: another may have taken its place, and must have these changes too.
                raise SearchUnavailable(error.operation, index, "it was retired", "It is tried again.") from error
        letters = [
            self.letter(where.index, i, chosen[i].key, where.reason, chosen[i].sequence_number)
            for i, where in parked.items()
        ]
        problem = self.park([*letters, *unidentified], tally)
        tally.outcomes |= dict.fromkeys(parked, "parked")
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
        version = read_version(requested_at_us, self._timing)
        keys: dict[str, Item] = {}
        wanted: dict[str, _Wanted] = {}
        for item in items:
            key = self._schema.key_of(item)
            identity = document_id(self._schema, key)
            built = self._build(item)
            keys[identity] = key
            wanted[identity] = _Wanted(built, version)
            tally.skipped += built.body is None and not built.problem
        for index in indexes:
            replies, problems = self._write(self._writer.write_once, index, wanted, deadline)
            letters = []
            for identity, reply in replies.items():
                if reply.outcome is Outcome.CONFLICT:
                    tally.stale += 1
                elif reply.outcome is Outcome.RETRY:
                    tally.failed[identity] = reply.reason
                elif identity in problems:
                    letters.append(self.letter(index, identity, keys[identity], problems[identity]))
                else:
                    tally.applied += 1
            problem = self.park(letters, tally)
            tally.failed |= {letter.id: problem for letter in letters if problem}
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
        wanted = {
            identity: _Wanted(self._build(change.image), max(1, change.time_us))
            for identity, change in chosen.items()
            if change.image_known
        }
        replies, problems = self._write(self._writer.write, index, wanted, deadline)
        conflicts = [i for i, reply in replies.items() if _is(reply, Outcome.CONFLICT)]
        ties = self._ties(index, conflicts, wanted)
        tally.stale += len(conflicts) - len(ties)
        tally.outcomes |= dict.fromkeys((i for i in conflicts if i not in ties), "stale")
        unsettled = [i for i in chosen if i in ties or i not in wanted]
        if unsettled:
            tally.reconciled += len(unsettled)
            tally.outcomes |= dict.fromkeys(unsettled, "reconciled")
            keys = {identity: chosen[identity].key for identity in unsettled}
            versions = {identity: chosen[identity].time_us for identity in unsettled}
            settled = self._reconciler.reconcile(index, keys, deadline, versions)
            problems |= {i: reply.reason for i, reply in settled.items() if _is(reply, Outcome.REJECTED)}
            replies |= {i: APPLIED if _is(reply, Outcome.REJECTED) else reply for i, reply in settled.items()}
        for identity, reply in replies.items():
            if _is(reply, Outcome.RETRY):
                failed[identity] = reply.reason
            elif not _is(reply, Outcome.CONFLICT):
                # Whether its delete was taken or was refused in turn.
                if identity in problems:
                    parked[identity] = _Parked(index, problems[identity])
                else:
                    tally.applied += 1

    def _write(
        self, send: Send, index: str, wanted: Mapping[str, _Wanted], deadline: float
    ) -> tuple[dict[str, Reply], dict[str, str]]:
        """Write each document with its version; what became of each, and why some could not be made or were refused.

        Of those, a delete is written with the same version: a document that can no longer be made is better absent
        and reported than silently stale, and its tombstone keeps older versions from coming back.
        """
        writes = [Write(identity, one.built.body, External(one.version)) for identity, one in wanted.items()]
        replies = dict(zip(wanted, send(index, writes, deadline), strict=True)) if writes else {}
        problems = {identity: one.built.problem for identity, one in wanted.items() if one.built.problem}
        refused = {i: reply.reason for i, reply in replies.items() if _is(reply, Outcome.REJECTED)}
        if refused:
            deletes = [Write(identity, None, External(wanted[identity].version)) for identity in refused]
            replies |= dict(zip(refused, send(index, deletes, deadline), strict=True))
        return replies, problems | refused

    def _ties(self, index: str, conflicts: Sequence[str], wanted: Mapping[str, _Wanted]) -> set[str]:
        """Which conflicts the versions cannot settle. A delete that finds no document needs nothing more."""
        if not conflicts:
            return set()
        ties = set()
        for identity, stored in zip(conflicts, self._documents.get_many(index, conflicts), strict=True):
            change = wanted[identity]
            if stored is None:
                if change.built.body is not None:
                    ties.add(identity)
            elif not is_stale(change.version, stored.version, self._timing):
                ties.add(identity)
        return ties

    def letter(
        self, index: str, identity: str, key: Item | None, reason: str, sequence_number: str | None = None
    ) -> DeadLetter:
        """A dead letter of now."""
        now = iso(self._clock.now_us())
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
