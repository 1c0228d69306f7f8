"""Puts right what verify found: the items are read anew and their documents made equal; what has no item is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dynadex.document.versioning import read_version
from dynadex.index.bulk import External, Outcome, Reply, Write
from dynadex.retry import Retrier
from dynadex.runtime import Runtime
from dynadex.verify.recheck import Confirmed
from dynadex.verify.result import Difference

_BATCH_SECONDS = 60.0
_LEFT = "left: its version is above that of the read that saw no item"


class Repair:
    """Repairs in one index. ``unindexable`` counts items that the index refused, and verify did not know of."""

    def __init__(self, runtime: Runtime, index: str, patience: Retrier) -> None:
        self._runtime = runtime
        self._index = index
        self._patience = patience
        self.unindexable = 0

    def __call__(self, findings: Sequence[Confirmed]) -> list[Difference]:
        """The differences, each with what became of it. Raises SearchError and SourceError."""
        replies = self._patience(lambda: self._reconciled(findings))
        replies |= self._patience(lambda: self._deleted([one for one in findings if one.difference.key is None]))
        return [self._outcome(one, replies[one.difference.id]) for one in findings]

    def _reconciled(self, findings: Sequence[Confirmed]) -> dict[str, Reply]:
        keys = {one.difference.id: one.difference.key for one in findings if one.difference.key is not None}
        deadline = self._runtime.clock.monotonic() + _BATCH_SECONDS
        return self._runtime.reconciler.reconcile(self._index, keys, deadline)

    def _deleted(self, orphans: Sequence[Confirmed]) -> dict[str, Reply]:
        """Delete documents whose keys nobody knows, each below the version of a read that saw no item."""
        if not orphans:
            return {}
        now = read_version(self._runtime.clock.now_us(), self._runtime.timing)
        deletes = [Write(one.difference.id, None, External(one.below or now)) for one in orphans]
        deadline = self._runtime.clock.monotonic() + _BATCH_SECONDS
        replies = self._runtime.writer.write_once(self._index, deletes, deadline)
        return {one.id: reply for one, reply in zip(deletes, replies, strict=True)}

    def _outcome(self, finding: Confirmed, reply: Reply) -> Difference:
        if reply.outcome is Outcome.APPLIED:
            return replace(finding.difference, repaired=True)
        if reply.outcome is Outcome.REJECTED and finding.difference.key is not None:
            return self._dead_letter(finding, reply.reason)
        note = _LEFT if reply.outcome is Outcome.CONFLICT else reply.reason
        return replace(finding.difference, repaired=False, note=note)

    def _dead_letter(self, finding: Confirmed, reason: str) -> Difference:
        """Nothing is left behind of an item that cannot be indexed; its key is dead-lettered with the reason."""
        found, indexer = finding.difference, self._runtime.indexer
        problem = indexer.dead_letter([indexer.letter(self._index, found.id, found.key, reason)])
        if problem:
            return replace(found, repaired=False, note=problem)
        self.unindexable += not finding.known_problem
        # Not the reason itself: the cluster quotes values in it.
        note = f"its item cannot be indexed: dead-lettered in {self._runtime.settings.dead_letters_location}"
        return replace(found, repaired=True, note=note)
