"""Ablations: the convergence rule without one of its parts, for which the property must fail.

An ablation that diverges in no schedule would show that its part is not needed, or that the schedules never reach
the situation that it is for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

import greenlet
import orjson

from dynadex.change import Item
from dynadex.document.versioning import MICROSECONDS, Timing
from dynadex.index import bulk, indexer, prepare
from dynadex.index.bulk import Unchanged, Write
from dynadex.index.opensearch import Stored
from dynadex.index.prepare import DocumentWrites
from dynadex.index.reconcile import Reconciler
from tests.property import world as worlds
from tests.property.ports import Cluster, Reads, writes_of
from tests.property.schedules import Outcome, run_schedules, usual
from tests.property.world import Circumstances, Product, World

Choose = Callable[[random.Random], Circumstances]


@dataclass(frozen=True)
class Ablation:
    """``rule``: the part left out, numbered as in docs/guarantees.md. ``switch``: leaves it out while schedules run."""

    rule: str
    switch: Callable[[], AbstractContextManager[Any]] = nullcontext
    circumstances: Choose = usual
    prepare: Callable[[World], None] = lambda _: None

    def run(self, seeds: range) -> Outcome:
        with self.switch():
            return run_schedules(seeds, self.circumstances, self.prepare)


def in_circumstances(**changes: Any) -> Choose:
    """Return the usual circumstances with these changes."""
    return lambda chance: replace(usual(chance), **changes)


def _patched(target: Any, name: str, substitute: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: mock.patch.object(target, name, substitute)


@contextmanager
def _no_mark() -> Iterator[None]:
    """Reconciliation does not write a document that is right already, although another writer may be about to."""
    original = Reconciler.reconcile

    def reconcile(self: Reconciler, index: str, keys: Any, deadline: float, changes: Any = None) -> Any:  # noqa: ARG001
        return original(self, index, keys, deadline)

    with mock.patch.object(Reconciler, "reconcile", reconcile):
        yield


@contextmanager
def _no_condition() -> Iterator[None]:
    """Reconciliation overwrites a document even if it was written since it was read."""
    original = Write.encoded

    def encoded(self: Write) -> bytes:
        if not isinstance(self.condition, Unchanged):
            return original(self)
        action = orjson.dumps({"delete" if self.body is None else "index": {"_id": self.id}})
        return action + b"\n" + (b"" if self.body is None else self.body + b"\n")

    with mock.patch.object(Write, "encoded", encoded):
        yield


def _write_leaving_nothing(
    _: indexer.Indexer, send: indexer.Send, index: str, documents: DocumentWrites, deadline: float
) -> Any:
    """A document that is rejected leaves no tombstone; compare ``Indexer._write``."""
    writes = documents.writes
    replies = dict(zip(writes, send(index, list(writes.values()), deadline), strict=True)) if writes else {}
    rejected = {i: reply.reason for i, reply in replies.items() if reply.outcome is bulk.Outcome.REJECTED}
    return indexer.Written({**replies, **dict.fromkeys(rejected, bulk.APPLIED)}, rejected)


class _ItemsFirst:
    """Reconciliation reads the item before the document, instead of after it."""

    def __init__(self, cluster: Cluster, read: Reads) -> None:
        self._cluster, self._read = cluster, read
        self._items: WeakKeyDictionary[Any, Sequence[Item | None]] = WeakKeyDictionary()

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        return self._cluster.bulk(index, body, timeout_seconds)

    def refresh(self, index: str) -> None:
        self._cluster.refresh(index)

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        return self._cluster.versions(index)

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        self._items[greenlet.getcurrent()] = self._read([{"id": {"S": identity}} for identity in ids])
        return self._cluster.get_many(index, ids)

    def items(self, _keys: Sequence[Item]) -> Sequence[Item | None]:
        return self._items[greenlet.getcurrent()]


class _CreatePastTombstones(_ItemsFirst):
    """Reconciliation creates a document that a newer tombstone rejects, instead of waiting."""

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        return self._cluster.get_many(index, ids)

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        replies = list(self._cluster.bulk(index, body, timeout_seconds))
        for position, write in enumerate(writes_of(body)):
            [(verb, action)] = orjson.loads(write.split(b"\n", 1)[0]).items()
            rejected = next(iter(replies[position].values()))["status"] == 409
            if verb == "index" and "version" in action and rejected:
                create = orjson.dumps({"create": {"_id": action["_id"]}}) + b"\n" + write.split(b"\n", 1)[1]
                replies[position] = self._cluster.bulk(index, create, timeout_seconds)[0]
        return replies


def _items_first(world: World) -> None:
    def settling(cluster: Cluster, read: Reads) -> tuple[Cluster, Reads]:
        first = _ItemsFirst(cluster, read)
        return first, first.items

    world.rule = Product(world, settling)


def _create_past_tombstones(world: World) -> None:
    world.rule = Product(world, lambda cluster, read: (_CreatePastTombstones(cluster, read), read))


# More ties that one actor settles while another hangs between its read and its write: they are rare otherwise.
_SETTLING = {"resync": 14, "time out": 6, "replay": 8}
_MINUTE = Timing(granularity_us=60 * MICROSECONDS)
_OFTEN_TIED = in_circumstances(
    table_granularity_us=60 * MICROSECONDS, timing=_MINUTE, actions=_SETTLING, songs=(6, 20, 1, 1)
)

ABLATIONS: dict[str, Ablation] = {
    "first change of a batch is kept": Ablation(
        "1: within a batch, only the last change of a key is written",
        _patched(prepare, "latest", lambda pairs: dict(reversed(list(pairs)))),
    ),
    "margin of 0 s": Ablation(
        "2: a read's version stays below its time", circumstances=in_circumstances(timing=Timing(1, 0))
    ),
    "margin of 2 s, times of 60 s": Ablation(
        "2: the margin follows the granularity of the stream",
        circumstances=in_circumstances(table_granularity_us=60 * MICROSECONDS, timing=Timing()),
    ),
    "every conflict is superseded": Ablation(
        "3: a conflict within the window is a tie", _patched(indexer, "is_superseded", lambda *_: True)
    ),
    "window of 0 s": Ablation(
        "3: the window is wider than the granularity",
        _patched(indexer, "is_superseded", lambda change, current, _: current > change),
    ),
    "item read before document": Ablation(
        "4.1: the document is read first, the item second", circumstances=_OFTEN_TIED, prepare=_items_first
    ),
    "unconditional writes": Ablation(
        "4.3: a document that is not older than the read is written under if_seq_no", _no_condition
    ),
    "create despite tombstones": Ablation(
        "4.4: if a tombstone rejects the version of the read, wait for a greater version",
        circumstances=_OFTEN_TIED,
        prepare=_create_past_tombstones,
    ),
    "correct documents not rewritten": Ablation(
        "4.5: reconciliation for a change writes, even if the document is correct", _no_mark, _OFTEN_TIED
    ),
    "rejection leaves no tombstone": Ablation(
        "4.6: a rejected document is written as a delete",
        _patched(indexer.Indexer, "_write", _write_leaving_nothing),
        in_circumstances(songs=(10, 4, 1, 10)),
    ),
    "tombstones of 1 s": Ablation(
        "5: tombstones outlive late writers", circumstances=in_circumstances(gc_deletes="1s")
    ),
    "tombstones of 10 s, late writers of 40 s": Ablation(
        "5: tombstones outlive late writers", circumstances=in_circumstances(gc_deletes="10s", oldest_actor=40.0)
    ),
    "sweep up to the present": Ablation(
        "6: a sweep deletes documents below the version of the backfill's first read",
        _patched(worlds, "read_version", lambda started_at_us, _: started_at_us + 10 * MICROSECONDS),
    ),
    "scan without waiting": Ablation(
        "8: a new index is scanned only after every writer writes to it",
        circumstances=in_circumstances(fence="no", actions={"rebuild": 6}),
    ),
    "scan without waiting for late writers": Ablation(
        "8: the changes that late writers hold are written before that scan begins",
        circumstances=in_circumstances(fence="without late writers", actions={"rebuild": 6}),
    ),
    "failed counts as acknowledged": Ablation(
        "7: progress moves only past what is acknowledged", _patched(worlds, "lowest", lambda _: None)
    ),
}
