"""Do the replicas of a table hold the same items? While they are written to, and replication takes its time.

Two replicas cannot be read at one instant, so what differs is looked at again. Once it is equal, the later replica was
merely late, which is counted. It is a difference only if both sides stay as they are, and differ, for the settle time.
Dynadex never mends a replica: the table is the truth, and replication is DynamoDB's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.body import encode, same
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import plain
from dynadex.source.table_scan import Page

_FIRST_LOOK_SECONDS = 0.25
_POLL_SECONDS = 0.5
# Of what never rests, neither is known.
_GIVE_UP_SETTLES = 6
_MAX_WAITING = 10_000
# As many keys as one BatchGetItem takes.
_BATCH = 100


class Replica(Protocol):
    """What is asked of a region's own replica. Every call may raise SourceError."""

    @property
    def region(self) -> str:
        """Its name."""

    def pages(self) -> Iterator[Page]:
        """Every item there is, by consistent reads, a page at a time."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items with these keys as they are now, by consistent reads."""


@dataclass(frozen=True, slots=True)
class ReplicaDifference:
    """One item that is not the same in two regions. ``only_in`` names the region that alone has it, if one has."""

    id: str
    regions: tuple[str, str]
    fields: tuple[str, ...] = ()
    only_in: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON."""
        told: dict[str, Any] = {"kind": "replicas", "id": self.id, "regions": list(self.regions)}
        return told | ({"only_in": self.only_in} if self.only_in else {"fields": list(self.fields)})


@dataclass(slots=True)
class Compared:
    """What a comparison of two replicas came to.

    ``late`` items differed and were equal a moment later, at most ``max_seconds`` after they were first seen;
    ``in_motion`` changed at every look.
    """

    regions: tuple[str, str]
    items: int = 0
    late: int = 0
    max_seconds: float = 0.0
    different: int = 0
    in_motion: int = 0

    def summary(self) -> dict[str, Any]:
        """As plain JSON."""
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
    """A key that seemed to differ: both sides as they were last seen, since when, and when it was seen first."""

    key: Item
    first_at: float
    sides: tuple[str | None, str | None] = (None, None)
    since: float = 0.0
    look_at: float = 0.0


@dataclass(slots=True)
class ReplicaComparison:
    """Compares two replicas, each difference told once. ``on_progress`` is given the items compared so far."""

    left: Replica
    right: Replica
    schema: KeySchema
    clock: Clock
    settle_seconds: float
    on_difference: Callable[[ReplicaDifference], None]
    on_progress: Callable[[int], None] = lambda _: None
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _found: Compared = field(init=False)

    def __post_init__(self) -> None:
        self._found = Compared((self.left.region, self.right.region))

    def run(self) -> Compared:
        """Compare every item. Raises SourceError, and whatever ends the clock's sleep."""
        for page in self.left.pages():
            theirs = self.right.read_items([self.schema.key_of(item) for item in page.items])
            for item, other in zip(page.items, theirs, strict=True):
                self._found.items += 1
                if item != other and _content(item) != _content(other):
                    self._wait_for(item)
            self._after_page()
        for page in self.right.pages():
            known = self.left.read_items([self.schema.key_of(item) for item in page.items])
            for item, other in zip(page.items, known, strict=True):
                if other is None:
                    self._found.items += 1
                    self._wait_for(item)
            self._after_page()
        self._look_until(0)
        return self._found

    def _after_page(self) -> None:
        # A place to stop, where the clock can be stopped.
        self.clock.sleep(0)
        self.on_progress(self._found.items)
        self._look_at_due()
        if len(self._waiting) > _MAX_WAITING:
            self._look_until(_MAX_WAITING // 2)

    def _wait_for(self, item: Item) -> None:
        now = self.clock.monotonic()
        key = self.schema.key_of(item)
        first = _Waiting(key, now, since=now, look_at=now + _FIRST_LOOK_SECONDS)
        self._waiting.setdefault(document_id(self.schema, key), first)

    def _look_until(self, left: int) -> None:
        while len(self._waiting) > left:
            self._look_at_due()
            if len(self._waiting) > left:
                self.clock.sleep(_FIRST_LOOK_SECONDS)

    def _look_at_due(self) -> None:
        now = self.clock.monotonic()
        due = [identity for identity, one in self._waiting.items() if one.look_at <= now]
        for start in range(0, len(due), _BATCH):
            ids = due[start : start + _BATCH]
            keys = [self._waiting[identity].key for identity in ids]
            both = zip(ids, self.left.read_items(keys), self.right.read_items(keys), strict=True)
            for identity, left, right in both:
                self._seen(identity, left, right)

    def _seen(self, identity: str, left: Item | None, right: Item | None) -> None:
        one, now, sides = self._waiting[identity], self.clock.monotonic(), (_content(left), _content(right))
        if sides[0] == sides[1]:
            self._found.late += 1
            self._found.max_seconds = max(self._found.max_seconds, now - one.first_at)
        elif sides != one.sides:
            one.sides, one.since, one.look_at = sides, now, now + _POLL_SECONDS
            if now - one.first_at < self.settle_seconds * _GIVE_UP_SETTLES:
                return
            self._found.in_motion += 1
        elif now - one.since < self.settle_seconds:
            one.look_at = now + _POLL_SECONDS
            return
        else:
            self._found.different += 1
            self.on_difference(self._difference(identity, left, right))
        del self._waiting[identity]

    def _difference(self, identity: str, left: Item | None, right: Item | None) -> ReplicaDifference:
        regions = (self.left.region, self.right.region)
        if left is None or right is None:
            return ReplicaDifference(identity, regions, only_in=regions[0] if right is None else regions[1])
        return ReplicaDifference(identity, regions, tuple(_differing(plain(left), plain(right))))


def _content(item: Item | None) -> str | None:
    """An item in one spelling: DynamoDB may give attributes and sets in another order each time."""
    if item is None:
        return None
    return json.dumps(plain(item), sort_keys=True, default=lambda number: {"N": str(number)})


def _differing(one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other or not same(encode({name: one[name]}), {name: other[name]}):
            yield name
