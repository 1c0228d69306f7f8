"""The indexer: applies changes and scanned items to every index behind a sync.

The stream handler, the worker and the refill all write documents through it, so the convergence rule
(docs/guarantees.md) is implemented once: write with the version of the change, check each conflict, and reconcile
what versions cannot order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dynadex.change import Change, Item
from dynadex.clock import Clock, iso
from dynadex.dead_letters.port import DeadLetter, DeadLetterError, DeadLetterSink
from dynadex.document.versioning import is_superseded
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.index.bulk import APPLIED, Outcome, Reply, Write
from dynadex.index.prepare import (
    DocumentRules,
    DocumentWrites,
    PreparedChanges,
    PreparedItems,
    prepare_changes,
    prepare_items,
)
from dynadex.index.reconcile import DocumentStore, Reconciler
from dynadex.index.results import ApplyResult, IndexResult, Rejection, merge

Send = Callable[[str, Sequence[Write], float], list[Reply]]


class Indexes(Protocol):
    """The physical indexes that changes are written to."""

    def current(self) -> Sequence[str]:
        """Return their names. Raises SearchError when none exists."""
        ...

    def retired(self, index: str) -> bool:
        """Return whether an index that was listed by ``current`` no longer is."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """Last reply of each document id in one index. ``problems``: why some items have no document, by document id."""

    replies: Mapping[str, Reply]
    problems: Mapping[str, str]

    def with_outcome(self, outcome: Outcome) -> list[str]:
        """Return the document ids whose reply has this outcome."""
        return [identity for identity, reply in self.replies.items() if reply.outcome is outcome]

    def reconciled(self, replies: Mapping[str, Reply]) -> Written:
        """Replace the outcomes of these keys by those of their reconciliation.

        A problem of an older image is irrelevant when the current item has a document.
        """
        problems = {identity: problem for identity, problem in self.problems.items() if identity not in replies}
        rejected = {identity: reply.reason for identity, reply in replies.items() if reply.outcome is Outcome.REJECTED}
        return Written({**self.replies, **replies, **dict.fromkeys(rejected, APPLIED)}, {**problems, **rejected})

    def result(self, index: str) -> IndexResult:
        """Count the replies and collect the reasons of keys that are not indexed."""
        applied, superseded, failed, rejected = 0, list[str](), dict[str, str](), dict[str, Rejection]()
        for identity, reply in self.replies.items():
            if reply.outcome is Outcome.CONFLICT:
                superseded.append(identity)
            elif reply.outcome is Outcome.RETRY:
                failed[identity] = reply.reason
            elif identity in self.problems:
                # Also where OpenSearch rejected the delete that followed.
                rejected[identity] = Rejection(index, self.problems[identity])
            else:
                applied += 1
        outcomes = dict.fromkeys(superseded, "superseded")
        return IndexResult(applied, len(superseded), failed=failed, rejected=rejected, outcomes=outcomes)


class Indexer:
    """Writes documents by the convergence rule."""

    def __init__(
        self,
        rules: DocumentRules,
        indexes: Indexes,
        store: DocumentStore,
        reconciler: Reconciler,
        dead_letters: DeadLetterSink,
        clock: Clock,
    ) -> None:
        self._rules = rules
        self._indexes = indexes
        self._documents = store.reader
        self._writer = store.writer
        self._reconciler = reconciler
        self._dead_letters = dead_letters
        self._clock = clock

    def prepare(self, changes: Iterable[Change]) -> PreparedChanges:
        """Prepare changes for ``apply``. Calls neither table nor index."""
        return prepare_changes(self._rules, changes)

    def prepare_items(self, items: Iterable[Item], requested_at_us: int) -> PreparedItems:
        """Prepare items, whose read was requested at that time, for ``load``. Calls neither table nor index.

        Raises ValueError for an item without a usable key.
        """
        return prepare_items(self._rules, items, requested_at_us)

    def apply(self, changes: PreparedChanges, deadline: float) -> ApplyResult:
        """Apply changes to every index.

        Every change that is not in ``failed`` of the result is applied, superseded, reconciled or dead-lettered.
        ``deadline`` is a reading of ``clock.monotonic()``. Raises SearchError or SourceError when the cause is not in
        the data: then no change counts as applied.
        """
        result = merge([self._apply_unless_retired(index, changes, deadline) for index in self._indexes.current()])
        letters = self._letters(changes, result)
        problem = self.dead_letter(letters)
        return _result(changes, result, 0 if problem else len(letters), problem)

    def load(self, items: PreparedItems, deadline: float, indexes: Sequence[str]) -> ApplyResult:
        """Write the items of one scanned page to the given indexes.

        A conflict is a success: the index holds an equal or newer version, or the stream will deliver it. An item
        that is not indexed is written as a delete. Raises as ``apply`` does.
        """
        result = merge([self._load_into(index, items, deadline) for index in indexes])
        return ApplyResult(
            applied=result.applied,
            superseded=result.superseded,
            dead_lettered=result.dead_lettered,
            not_indexed=items.not_indexed,
            failed=dict(result.failed),
        )

    def _apply_unless_retired(self, index: str, changes: PreparedChanges, deadline: float) -> IndexResult:
        try:
            return self._apply_to(index, changes, deadline)
        except SearchError as error:
            if not error.not_found or not self._indexes.retired(index):
                raise
            # The batch must not skip this index: another one may have replaced it, and needs these changes too.
            raise SearchUnavailable(
                error.operation, index, "the index was retired", "The batch is retried on the current indexes."
            ) from error

    def _apply_to(self, index: str, changes: PreparedChanges, deadline: float) -> IndexResult:
        """Apply changes to one index: parts 1 and 3 of the convergence rule."""
        written = self._write(self._writer.write, index, changes.documents, deadline)
        ties = self._ties(index, written.with_outcome(Outcome.CONFLICT), changes)
        unsettled = [i for i in changes.latest if i in ties or i not in changes.documents.writes]
        if unsettled:
            keys = {identity: changes.latest[identity].key for identity in unsettled}
            versions = {identity: changes.latest[identity].time_us for identity in unsettled}
            written = written.reconciled(self._reconciler.reconcile(index, keys, deadline, versions))
        result = written.result(index)
        outcomes = {**result.outcomes, **dict.fromkeys(unsettled, "reconciled")}
        return replace(result, reconciled=len(unsettled), outcomes=outcomes)

    def _ties(self, index: str, conflicts: Sequence[str], changes: PreparedChanges) -> set[str]:
        """Return the conflicts that versions cannot settle.

        A delete that a tombstone rejects is complete, unless it stands for a document that cannot be built: then
        the tombstone may be its own, written before its key was dead-lettered.
        """
        if not conflicts:
            return set()
        ties = set()
        for identity, stored in zip(conflicts, self._documents.get_many(index, conflicts), strict=True):
            if stored is None:
                if changes.documents.writes[identity].body is not None or identity in changes.documents.problems:
                    ties.add(identity)
            elif not is_superseded(changes.latest[identity].time_us, stored.version, self._rules.timing):
                ties.add(identity)
        return ties

    def _load_into(self, index: str, items: PreparedItems, deadline: float) -> IndexResult:
        """Write items to one index and dead-letter those that it rejects."""
        written = self._write(self._writer.write_once, index, items.documents, deadline)
        # The delete of an item without a document may be rejected by its own tombstone, written before its key was
        # dead-lettered: items of one export have the same version each time it is read.
        conflicts = written.with_outcome(Outcome.CONFLICT)
        unsettled = {identity: items.keys[identity] for identity in conflicts if identity in written.problems}
        if unsettled:
            written = written.reconciled(self._reconciler.reconcile(index, unsettled, deadline))
        result = written.result(index)
        letters = [
            self.letter(index, identity, items.keys[identity], rejection.reason)
            for identity, rejection in result.rejected.items()
        ]
        problem = self.dead_letter(letters)
        if problem:
            return replace(result, failed={**result.failed, **dict.fromkeys(result.rejected, problem)})
        return replace(result, dead_lettered=len(letters))

    def _letters(self, changes: PreparedChanges, result: IndexResult) -> list[DeadLetter]:
        """Return a dead letter for each key that an index rejects, and for each change without a usable key."""
        rejected = [
            self.letter(rejection.index, i, changes.latest[i].key, rejection.reason, changes.latest[i].sequence_number)
            for i, rejection in result.rejected.items()
        ]
        unidentified = [
            self.letter("", "", change.key, reason, change.sequence_number) for change, reason in changes.unidentified
        ]
        return [*rejected, *unidentified]

    def _write(self, send: Send, index: str, documents: DocumentWrites, deadline: float) -> Written:
        """Write each document with its version, and delete with the same version each one that is rejected.

        An item without a document is better absent and reported than silently out of date, and the tombstone
        blocks older versions.
        """
        writes = documents.writes
        replies = dict(zip(writes, send(index, list(writes.values()), deadline), strict=True)) if writes else {}
        rejected = {i: reply.reason for i, reply in replies.items() if reply.outcome is Outcome.REJECTED}
        if rejected:
            deletes = [writes[identity]._replace(body=None) for identity in rejected]
            replies |= dict(zip(rejected, send(index, deletes, deadline), strict=True))
        return Written(replies, {**documents.problems, **rejected})

    def letter(
        self, index: str, identity: str, key: Item | None, reason: str, sequence_number: str | None = None
    ) -> DeadLetter:
        """Return a dead letter with the current time."""
        now = iso(self._clock.now_us())
        return DeadLetter(index, identity, key, reason, sequence_number, now)

    def dead_letter(self, letters: Sequence[DeadLetter]) -> str:
        """Store dead letters. Returns "", or why that failed; their records must then be reported as failed."""
        if not letters:
            return ""
        try:
            self._dead_letters.add(letters)
        except DeadLetterError as error:
            return str(error)
        return ""


def _result(changes: PreparedChanges, result: IndexResult, dead_lettered: int, problem: str) -> ApplyResult:
    """Return the result for every index. ``problem``: why dead letters could not be stored, or ""."""
    failed_keys = dict(result.failed)
    failed: dict[str, str] = {}
    if problem:
        failed_keys |= dict.fromkeys(result.rejected, problem)
        failed |= {change.sequence_number: problem for change, _ in changes.unidentified}
    failed |= {change.sequence_number: failed_keys[i] for i, change in changes.identified if i in failed_keys}
    return ApplyResult(
        applied=result.applied,
        superseded=result.superseded,
        reconciled=result.reconciled,
        dead_lettered=dead_lettered,
        not_indexed=sum(identity not in failed_keys for identity in changes.not_indexed),
        failed=failed,
        newest_change_us=max((change.time_us for i, change in changes.identified if i not in failed_keys), default=0),
        outcomes={**result.outcomes, **dict.fromkeys(result.rejected, "dead_lettered")},
    )
