"""Reconciliation marks what it settles, and returns its outcome, after writes that the cluster did not accept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from dynadex.document.body import Built, encode
from dynadex.document.versioning import Timing, read_version
from dynadex.index.bulk import APPLIED, External, Outcome, Write
from dynadex.index.reconcile import DocumentStore, Reconciler
from dynadex.index.writer import Writer
from tests.unit.verify_stage import INDEX, FlakyIndex, Stage

KEY = {"id": {"S": "song-1"}}
BUSY = {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "queue is full"}}


class Busy(FlakyIndex):
    """Rejects the first bulk request as busy."""

    busy = 1

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        if self.busy:
            self.busy -= 1
            return [{"delete": BUSY}]
        return super().bulk(index, body, timeout_seconds)


def test_absence_is_marked_after_a_busy_cluster_rejected_a_first_write() -> None:
    stage = Stage()
    index = Busy(stage.clock)
    index.create(INDEX, {"aliases": {"songs": {}, "songs-sync": {}}})
    writer, timing = Writer(index, stage.clock), Timing()
    # A writer reads the item, and is frozen before it writes.
    stage.table.put(KEY)
    frozen = Write("song-1", encode({"id": "song-1"}), External(read_version(stage.clock.now_us(), timing)))
    stage.clock.advance(5.0)
    stage.table.remove(KEY)
    change = stage.clock.now_us()
    # The change has no known image (no time, an unknown event), so its key is reconciled.
    store = DocumentStore(index, writer)
    reconciler = Reconciler(store, lambda keys: [None for _ in keys], lambda _: Built(), timing, stage.clock)
    assert reconciler.reconcile(INDEX, {"song-1": KEY}, float("inf"), {"song-1": change}) == {"song-1": APPLIED}
    # The frozen writer resumes.
    [reply] = writer.write(INDEX, [frozen], float("inf"))
    assert reply.outcome is Outcome.CONFLICT
    assert index.documents(INDEX) == {}


KEY = {"id": {"S": "song-1"}}
ORDERS = [{**KEY, "bars": {"S": "many"}}, {"bars": {"S": "many"}, **KEY}]


def test_rejected_item_is_rejected_in_any_order_of_its_attributes() -> None:
    stage = Stage()
    orders = cycle(ORDERS)
    runtime = stage.runtime()
    reconciler = Reconciler(
        DocumentStore(stage.index, stage.writer),
        lambda keys: [next(orders) for _ in keys],
        stage.sync.build,
        runtime.timing,
        stage.clock,
    )
    replies = reconciler.reconcile(INDEX, {"song-1": KEY}, stage.clock.monotonic() + 60)
    assert replies["song-1"].outcome is Outcome.REJECTED, replies
