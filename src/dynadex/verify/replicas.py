"""Compare two replicas of a table while both are written to and replication lags.

Two replicas cannot be read at the same instant, so an item that seems to differ is read again. If both sides are equal
by then, one replica lagged, which is counted. It is a difference only if both sides stay unchanged, and differ, for the
settle time. dynadex never repairs a replica: the table is the source of truth, and DynamoDB replicates it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.body import encode, same
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import plain
from dynadex.source.table_scan import Page

_FIRST_CHECK_SECONDS = 0.25
_POLL_SECONDS = 0.5
# An item that still changes after this number of settle times is neither equal nor different.
_MAX_SETTLES = 6
_MAX_WAITING = 10_000
# The number of keys that one BatchGetItem takes.
_BATCH = 100


class Replica(Protocol):
    """A region's own replica of the table. Every call may raise SourceError."""

    @property
    def region(self) -> str:
        """Name of the region."""

    def pages(self) -> Iterator[Page]:
        """Yield every item by consistent reads, a page at a time."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """Return the current items with these keys by consistent reads."""


@dataclass(frozen=True, slots=True)
class ReplicaDifference:
    """An item that differs between two regions. ``only_in`` is the region that has it, if the other one does not."""

    id: str
    regions: tuple[str, str]
    fields: tuple[str, ...] = ()
    only_in: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        row: dict[str, Any] = {"kind": "replicas", "id": self.id, "regions": list(self.regions)}
        return row | ({"only_in": self.only_in} if self.only_in else {"fields": list(self.fields)})


@dataclass(slots=True)
class ReplicaResult:
    """Counts of a comparison of two replicas.

    ``late`` items differed at first and were equal later, at most ``max_seconds`` after the first read. ``in_motion``
    items changed between all checks.
    """

    regions: tuple[str, str]
    items: int = 0
    late: int = 0
    max_seconds: float = 0.0
    different: int = 0
    in_motion: int = 0

    def summary(self) -> dict[str, Any]:
        """Return the counts as plain JSON."""
        return {
            "regions": list(self.regions),
            "items": self.items,
            "late": self.late,
            "longest_seconds": round(self.max_seconds, 3),
            "different": self.different,
            "in_motion": self.in_motion,
        }


@dataclass(slots=True)
class _Waiting:
    """A key whose items seem to differ.

    ``sides`` are both items as the last check read them, ``unchanged_since`` the time since which they are the same,
    ``first_at`` the time of the first read.
    """

    key: Item
    first_at: float
    unchanged_since: float
    check_at: float
    sides: tuple[str | None, str | None] = (None, None)


class ReplicaComparison:
    """One comparison of two replicas. ``result`` has its counts so far."""

    def __init__(self, left: Replica, right: Replica, schema: KeySchema, clock: Clock, settle_seconds: float) -> None:
        self.result = ReplicaResult((left.region, right.region))
        self._left = left
        self._right = right
        self._schema = schema
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._waiting: dict[str, _Waiting] = {}

    def differences(self) -> Iterator[Sequence[ReplicaDifference]]:
        """Compare every item and yield each difference once, in batches.

        A batch follows each page of items and each wait. Most batches are empty: they let the caller report progress.
        Raises SourceError, and Stopping when the clock is stopped.
        """
        for suspects in self._suspects():
            for item in suspects:
                self._add(item)
            # A stoppable clock ends the comparison here.
            self._clock.sleep(0)
            yield ()
            yield from self._check_due()
            if len(self._waiting) > _MAX_WAITING:
                yield from self._check_until(_MAX_WAITING // 2)
        yield from self._check_until(0)

    def _suspects(self) -> Iterator[Sequence[Item]]:
        """Yield the items that seem to differ: those of the left replica, then those that only the right one has."""
        for page in self._left.pages():
            counterparts = self._right.read_items(self._keys(page))
            self.result.items += len(page.items)
            yield [
                item
                for item, other in zip(page.items, counterparts, strict=True)
                if item != other and _canonical(item) != _canonical(other)
            ]
        for page in self._right.pages():
            counterparts = self._left.read_items(self._keys(page))
            unmatched = [item for item, other in zip(page.items, counterparts, strict=True) if other is None]
            self.result.items += len(unmatched)
            yield unmatched

    def _keys(self, page: Page) -> list[Item]:
        return [self._schema.key_of(item) for item in page.items]

    def _add(self, item: Item) -> None:
        now = self._clock.monotonic()
        key = self._schema.key_of(item)
        waiting = _Waiting(key, now, unchanged_since=now, check_at=now + _FIRST_CHECK_SECONDS)
        self._waiting.setdefault(document_id(self._schema, key), waiting)

    def _check_until(self, remaining: int) -> Iterator[Sequence[ReplicaDifference]]:
        """Check until at most this number of keys is waiting."""
        while len(self._waiting) > remaining:
            yield from self._check_due()
            if len(self._waiting) > remaining:
                self._clock.sleep(_FIRST_CHECK_SECONDS)

    def _check_due(self) -> Iterator[Sequence[ReplicaDifference]]:
        now = self._clock.monotonic()
        due = [identity for identity, waiting in self._waiting.items() if waiting.check_at <= now]
        for start in range(0, len(due), _BATCH):
            ids = due[start : start + _BATCH]
            keys = [self._waiting[identity].key for identity in ids]
            sides = zip(ids, self._left.read_items(keys), self._right.read_items(keys), strict=True)
            yield list(filter(None, (self._judge(identity, left, right) for identity, left, right in sides)))

    def _judge(self, identity: str, left: Item | None, right: Item | None) -> ReplicaDifference | None:
        """Return a confirmed difference; None if there is none, or if another check must decide."""
        waiting, now, sides = self._waiting[identity], self._clock.monotonic(), (_canonical(left), _canonical(right))
        difference = None
        if sides[0] == sides[1]:
            self.result.late += 1
            self.result.max_seconds = max(self.result.max_seconds, now - waiting.first_at)
        elif sides != waiting.sides:
            waiting.sides, waiting.unchanged_since, waiting.check_at = sides, now, now + _POLL_SECONDS
            if now - waiting.first_at < self._settle_seconds * _MAX_SETTLES:
                return None
            self.result.in_motion += 1
        elif now - waiting.unchanged_since < self._settle_seconds:
            waiting.check_at = now + _POLL_SECONDS
            return None
        else:
            self.result.different += 1
            difference = self._difference(identity, left, right)
        del self._waiting[identity]
        return difference

    def _difference(self, identity: str, left: Item | None, right: Item | None) -> ReplicaDifference:
        regions = self.result.regions
        if left is None or right is None:
            return ReplicaDifference(identity, regions, only_in=regions[0] if right is None else regions[1])
        return ReplicaDifference(identity, regions, tuple(_differing(plain(left), plain(right))))


def _canonical(item: Item | None) -> str | None:
    """Return an item as canonical text: DynamoDB may return attributes and sets in a different order each time."""
    if item is None:
        return None
    return json.dumps(plain(item), sort_keys=True, default=lambda number: {"N": str(number)})


def _differing(left: dict[str, Any], right: dict[str, Any]) -> Iterator[str]:
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right or not same(encode({name: left[name]}), {name: right[name]}):
            yield name
