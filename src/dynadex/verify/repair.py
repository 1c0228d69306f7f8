"""Repair confirmed differences: reconcile their keys, and delete documents without a key in the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dynadex.document.versioning import read_version
from dynadex.index.bulk import External, Outcome, Reply, Write
from dynadex.retry import Retrier
from dynadex.runtime import Runtime
from dynadex.verify.recheck import Confirmed
from dynadex.verify.result import Difference

_BATCH_SECONDS = 60.0
_NEWER_THAN_READ = "not deleted: its version is greater than the version of the read that did not find its item"


def unrepaired(batches: Iterable[Sequence[Confirmed]]) -> Iterator[Sequence[Difference]]:
    """Yield confirmed differences unchanged."""
    for batch in batches:
        yield [confirmed.difference for confirmed in batch]


class Repair:
    """Repairs differences in one index. It waits for backends that are unavailable."""

    def __init__(self, runtime: Runtime, index: str, retry: Retrier) -> None:
        self._runtime = runtime
        self._index = index
        self._retry = retry

    def repaired(self, batches: Iterable[Sequence[Confirmed]]) -> Iterator[Sequence[Difference]]:
        """Repair differences and yield them with the outcome. Raises SearchError and SourceError."""
        for batch in batches:
            yield self._repaired(batch) if batch else ()

    def _repaired(self, batch: Sequence[Confirmed]) -> Sequence[Difference]:
        replies = self._retry(lambda: self._reconcile(batch))
        keyless = [confirmed for confirmed in batch if confirmed.difference.key is None]
        replies |= self._retry(lambda: self._delete(keyless))
        return [self._outcome(confirmed, replies[confirmed.difference.id]) for confirmed in batch]

    def _reconcile(self, batch: Sequence[Confirmed]) -> dict[str, Reply]:
        """Reconcile the differences that have a key; return the replies by document id."""
        differences = [confirmed.difference for confirmed in batch]
        keys = {difference.id: difference.key for difference in differences if difference.key is not None}
        return self._runtime.reconciler.reconcile(self._index, keys, self._deadline())

    def _delete(self, keyless: Sequence[Confirmed]) -> dict[str, Reply]:
        """Delete documents without a key, each with the version of a read that did not find its item."""
        if not keyless:
            return {}
        now = read_version(self._runtime.clock.now_us(), self._runtime.timing)
        deletes = [
            Write(confirmed.difference.id, None, External(confirmed.scan_version or now)) for confirmed in keyless
        ]
        replies = self._runtime.writer.write_once(self._index, deletes, self._deadline())
        return {delete.id: reply for delete, reply in zip(deletes, replies, strict=True)}

    def _deadline(self) -> float:
        return self._runtime.clock.monotonic() + _BATCH_SECONDS

    def _outcome(self, confirmed: Confirmed, reply: Reply) -> Difference:
        difference = confirmed.difference
        if reply.outcome is Outcome.APPLIED:
            return replace(difference, repaired=True)
        if reply.outcome is Outcome.REJECTED and difference.key is not None:
            return self._dead_letter(confirmed, reply.reason)
        note = _NEWER_THAN_READ if reply.outcome is Outcome.CONFLICT else reply.reason
        return replace(difference, repaired=False, note=note)

    def _dead_letter(self, confirmed: Confirmed, reason: str) -> Difference:
        """Dead-letter the key of an item that cannot be indexed; the reconciler has deleted its document."""
        difference, indexer = confirmed.difference, self._runtime.indexer
        letter = indexer.letter(self._index, difference.id, difference.key, reason)
        problem = indexer.dead_letter([letter])
        if problem:
            return replace(difference, repaired=False, note=problem)
        # The note leaves out the reason, because the cluster quotes values of the item in it.
        note = f"the item cannot be indexed: dead-lettered in {self._runtime.settings.dead_letters_location}"
        return replace(difference, repaired=True, note=note, newly_unindexable=not confirmed.known_problem)
