"""Repair confirmed differences: reconcile their keys, and delete documents that no key of the table has."""

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
_LEFT = "left: its version is above that of the read that saw no item"


def unrepaired(batches: Iterable[Sequence[Confirmed]]) -> Iterator[Sequence[Difference]]:
    """Yield differences as they were confirmed."""
    for batch in batches:
        yield [confirmed.difference for confirmed in batch]


class Repair:
    """Repairs in one index. Waits for backends that are unavailable."""

    def __init__(self, runtime: Runtime, index: str, retry: Retrier) -> None:
        self._runtime = runtime
        self._index = index
        self._retry = retry

    def repaired(self, batches: Iterable[Sequence[Confirmed]]) -> Iterator[Sequence[Difference]]:
        """Repair differences and yield them with the outcome. Raises SearchError and SourceError."""
        for batch in batches:
            yield self._repaired(batch) if batch else ()

    def _repaired(self, batch: Sequence[Confirmed]) -> Sequence[Difference]:
        replies = self._retry(lambda: self._reconciled(batch))
        keyless = [confirmed for confirmed in batch if confirmed.difference.key is None]
        replies |= self._retry(lambda: self._deleted(keyless))
        return [self._outcome(confirmed, replies[confirmed.difference.id]) for confirmed in batch]

    def _reconciled(self, batch: Sequence[Confirmed]) -> dict[str, Reply]:
        differences = [confirmed.difference for confirmed in batch]
        keys = {difference.id: difference.key for difference in differences if difference.key is not None}
        return self._runtime.reconciler.reconcile(self._index, keys, self._deadline())

    def _deleted(self, keyless: Sequence[Confirmed]) -> dict[str, Reply]:
        """Delete documents that no key has, each below the version of a read that saw no item."""
        if not keyless:
            return {}
        now = read_version(self._runtime.clock.now_us(), self._runtime.timing)
        deletes = [Write(orphan.difference.id, None, External(orphan.below or now)) for orphan in keyless]
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
        note = _LEFT if reply.outcome is Outcome.CONFLICT else reply.reason
        return replace(difference, repaired=False, note=note)

    def _dead_letter(self, confirmed: Confirmed, reason: str) -> Difference:
        """Keep nothing of an item that cannot be indexed; its key is dead-lettered with the reason."""
        difference, indexer = confirmed.difference, self._runtime.indexer
        letter = indexer.letter(self._index, difference.id, difference.key, reason)
        problem = indexer.dead_letter([letter])
        if problem:
            return replace(difference, repaired=False, note=problem)
        # Not the reason itself: the cluster quotes values in it.
        note = f"its item cannot be indexed: dead-lettered in {self._runtime.settings.dead_letters_location}"
        return replace(difference, repaired=True, note=note, newly_unindexable=not confirmed.known_problem)
