"""Applies changes and scanned items to every index behind a sync: the only writer of documents there is.

The stream handler, the worker and the refill all come through here, so the convergence rule stands once:
write with the version of the change, look at what conflicted, reconcile what cannot be told from versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dynadex.change import Change, Item
from dynadex.clock import Clock, iso
from dynadex.dead_letters.port import DeadLetter, DeadLetterError, DeadLetterSink
from dynadex.document.identity import KeySchema
from dynadex.document.versioning import Timing, is_superseded, read_version
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.index.bulk import APPLIED, Outcome, Reply, Write
from dynadex.index.prepare import DocumentWrites, PreparedChanges, PreparedItems, prepare_changes, prepare_items
from dynadex.index.reconcile import Build, DocumentReader, Reconciler
from dynadex.index.results import ApplyResult
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


@dataclass(frozen=True, slots=True)
class _Refused:
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
        dead_letters: DeadLetterSink,
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

    def prepare(self, changes: Iterable[Change]) -> PreparedChanges:
        """What ``apply`` takes; nothing is asked of anybody."""
        return prepare_changes(self._schema, self._build, changes)

    def prepare_items(self, items: Iterable[Item], requested_at_us: int) -> PreparedItems:
        """What ``load`` takes, of one scanned page, requested at the given time; nothing is asked of anybody.

        Raises ValueError for an item without a usable key.
        """
        return prepare_items(self._schema, self._build, items, read_version(requested_at_us, self._timing))

    def apply(self, changes: PreparedChanges, deadline: float) -> ApplyResult:
        """Apply changes to every index.

        Every change not in ``failed`` of the result is applied, known to be stale, or dead-lettered. ``deadline`` is of
        ``clock.monotonic()``. Raises SearchError or SourceError when something other than the data is at fault;
        then nothing may be taken as applied.
        """
        tally = ApplyResult()
        chosen, identified = changes.chosen, changes.identified
        failed: dict[str, str] = {}
        dead_lettered: dict[str, _Refused] = {}
        for index in self._indexes.current():
            try:
                self._apply_to(index, changes, deadline, tally, failed, dead_lettered)
            except SearchError as error:
                if not error.not_found or not self._indexes.retired(index):
                    raise
                # Not passed over: another may have taken its place, and must have these changes too.
                raise SearchUnavailable(error.operation, index, "it was retired", "It is tried again.") from error
        letters = [
            self.letter(where.index, i, chosen[i].key, where.reason, chosen[i].sequence_number)
            for i, where in dead_lettered.items()
        ]
        unidentified = [
            self.letter("", "", one.key, reason, one.sequence_number) for one, reason in changes.unidentified
        ]
        problem = self.add([*letters, *unidentified], tally)
        tally.outcomes |= dict.fromkeys(dead_lettered, "dead_lettered")
        if problem:
            failed |= dict.fromkeys(dead_lettered, problem)
            tally.failed |= {str(letter.sequence_number): problem for letter in unidentified}
        tally.failed |= {change.sequence_number: failed[i] for i, change in identified if i in failed}
        tally.newest_us = max((c.time_us for i, c in identified if i not in failed), default=0)
        tally.skipped = sum(identity not in failed for identity in changes.skipped)
        return tally

    def load(self, items: PreparedItems, deadline: float, indexes: Sequence[str]) -> ApplyResult:
        """Write the items of one scanned page to the given indexes.

        A conflict is success: the index already holds something at least as new, or the stream will bring it.
        An item that is not indexed is written as a delete. Raises as ``apply`` does.
        """
        tally = ApplyResult(skipped=items.skipped)
        for index in indexes:
            others, problems = self._write(self._writer.write_once, index, items.documents, deadline)
            # What the delete of one that cannot be indexed met may be itself, from before its key was dead-lettered:
            # however
            # often an export is read, its items have the same version.
            unsure = {i: items.keys[i] for i in problems if _is(others[i], Outcome.CONFLICT)}
            if unsure:
                self._settle(index, unsure, deadline, None, others, problems)
            tally.applied += len(items.keys) - len(others)
            letters = []
            for identity, reply in others.items():
                if reply.outcome is Outcome.CONFLICT:
                    tally.superseded += 1
                elif reply.outcome is Outcome.RETRY:
                    tally.failed[identity] = reply.reason
                elif identity in problems:
                    letters.append(self.letter(index, identity, items.keys[identity], problems[identity]))
                else:
                    tally.applied += 1
            problem = self.add(letters, tally)
            tally.failed |= {letter.id: problem for letter in letters if problem}
        return tally

    def _apply_to(
        self,
        index: str,
        changes: PreparedChanges,
        deadline: float,
        tally: ApplyResult,
        failed: dict[str, str],
        dead_lettered: dict[str, _Refused],
    ) -> None:
        """Rules 1 and 3 for one index."""
        chosen, writes = changes.chosen, changes.documents.writes
        others, problems = self._write(self._writer.write, index, changes.documents, deadline)
        conflicts = [i for i, reply in others.items() if _is(reply, Outcome.CONFLICT)]
        ties = self._ties(index, conflicts, changes)
        tally.superseded += len(conflicts) - len(ties)
        tally.outcomes |= dict.fromkeys((i for i in conflicts if i not in ties), "superseded")
        unsettled = [i for i in chosen if i in ties or i not in writes]
        if unsettled:
            tally.reconciled += len(unsettled)
            tally.outcomes |= dict.fromkeys(unsettled, "reconciled")
            keys = {identity: chosen[identity].key for identity in unsettled}
            versions = {identity: chosen[identity].time_us for identity in unsettled}
            self._settle(index, keys, deadline, versions, others, problems)
        tally.applied += len(chosen) - len(others)
        for identity, reply in others.items():
            if _is(reply, Outcome.RETRY):
                failed[identity] = reply.reason
            elif not _is(reply, Outcome.CONFLICT):
                # Whether its delete was taken or was refused in turn.
                if identity in problems:
                    dead_lettered[identity] = _Refused(index, problems[identity])
                else:
                    tally.applied += 1

    def _settle(
        self,
        index: str,
        keys: Mapping[str, Item],
        deadline: float,
        versions: Mapping[str, int] | None,
        others: dict[str, Reply],
        problems: dict[str, str],
    ) -> None:
        """Reconcile keys, and say in ``others`` and ``problems`` what became of them instead."""
        settled = self._reconciler.reconcile(index, keys, deadline, versions)
        for identity, reply in settled.items():
            # What an older image could not be made into is of no matter where the item as it is now could.
            problems.pop(identity, None)
            others[identity] = reply
            if _is(reply, Outcome.REJECTED):
                problems[identity], others[identity] = reply.reason, APPLIED

    def _write(
        self, send: Send, index: str, documents: DocumentWrites, deadline: float
    ) -> tuple[dict[str, Reply], dict[str, str]]:
        """Write each document with its version; what became of those that were not simply applied, and why some could
        not be made or were refused.

        Of those, a delete is written with the same version: a document that can no longer be made is better absent
        and reported than silently stale, and its tombstone keeps older versions from coming back.
        """
        writes, problems = documents.writes, dict(documents.problems)
        replies = send(index, list(writes.values()), deadline) if writes else []
        others = dict.fromkeys(problems, APPLIED)
        others |= {i: reply for i, reply in zip(writes, replies, strict=True) if reply is not APPLIED}
        refused = {i: reply.reason for i, reply in others.items() if _is(reply, Outcome.REJECTED)}
        if refused:
            deletes = [writes[identity]._replace(body=None) for identity in refused]
            others |= dict(zip(refused, send(index, deletes, deadline), strict=True))
        return others, problems | refused

    def _ties(self, index: str, conflicts: Sequence[str], changes: PreparedChanges) -> set[str]:
        """Which conflicts the versions cannot settle. A delete that finds no document needs nothing more, unless it
        stands for a document that could not be made: what it met may be itself, from before its key was
        dead-lettered."""
        if not conflicts:
            return set()
        ties = set()
        for identity, stored in zip(conflicts, self._documents.get_many(index, conflicts), strict=True):
            if stored is None:
                if changes.documents.writes[identity].body is not None or identity in changes.documents.problems:
                    ties.add(identity)
            elif not is_superseded(changes.chosen[identity].time_us, stored.version, self._timing):
                ties.add(identity)
        return ties

    def letter(
        self, index: str, identity: str, key: Item | None, reason: str, sequence_number: str | None = None
    ) -> DeadLetter:
        """A dead letter of now."""
        now = iso(self._clock.now_us())
        return DeadLetter(index, identity, key, reason, sequence_number, now)

    def add(self, letters: Sequence[DeadLetter], tally: ApplyResult) -> str:
        """Park them; the reason when that fails, since then their records must be reported as failed."""
        if not letters:
            return ""
        try:
            self._dead_letters.add(letters)
        except DeadLetterError as error:
            return str(error)
        tally.dead_lettered += len(letters)
        return ""


def _is(reply: Reply, outcome: Outcome) -> bool:
    return reply.outcome is outcome
