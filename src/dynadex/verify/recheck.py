"""Looks again at what seems to differ, until it is known to be lag, a difference, or a key that never rests.

Table and index cannot be read at one instant, so one look proves nothing: the change may be on its way. What is
reported was seen twice in the same state - what the item becomes, and the document's sequence number - and between
the two looks the stream got past the first one, and the settle time passed:

- Everything that had happened to the item by the first look was applied before the second look's document was read.
- Nothing wrote the document in between, or its sequence number had moved.

So whoever had to write the document had done so, and wrote something else, or nothing. (Where nobody knows how far the
stream is applied, the settle time alone must be long enough for that.) Each look reads the document before the item,
as a reconciliation does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import count

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.body import Built, decode, same
from dynadex.document.versioning import Timing
from dynadex.index.opensearch import Stored
from dynadex.verify.result import Difference, Kind, differing_fields

# As many keys as one BatchGetItem takes.
_BATCH = 100
# Most of what seems to differ is lag of less than this.
_FIRST_LOOK_SECONDS = 0.5
_POLL_SECONDS = 1.0
_GATHER_SECONDS = 0.1

# What the item becomes, and which write the document stems from; equal when neither has changed.
State = tuple[bytes | None, str, bool, tuple[int, int] | None]


@dataclass(slots=True)
class Candidate:
    """A document id that seemed to differ.

    ``key`` None: no item can be looked up, so it counts as absent: either no key of the table has this id, or a scan
    has not seen it. ``below`` is the version that the scan's start stands for: a document at or above it was written
    since, and says nothing. ``with_item`` and ``without_item`` say in which case it is for this candidate to report;
    the other case is reported by the other direction.
    """

    id: str
    key: Item | None
    below: int | None = None
    with_item: bool = True
    without_item: bool = True
    state: State | None = None
    seen_at_us: int = 0
    give_up_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """A candidate's document and then its item, as one look saw them. ``at_us`` is the time right after it."""

    stored: Stored | None
    built: Built
    item_there: bool
    at_us: int

    @property
    def equal(self) -> bool:
        """Whether the document is what the item becomes."""
        return same(self.built.body, self.stored.source if self.stored else None)

    @property
    def state(self) -> State:
        """What must not change between two looks."""
        wanted = written = None
        if self.built.body is not None:
            # DynamoDB may give an item's attributes in another order each time.
            text = json.dumps(decode(self.built.body), sort_keys=True, default=str)
            wanted = blake2b(text.encode(), digest_size=16).digest()
        if self.stored:
            written = (self.stored.seq_no, self.stored.primary_term)
        return wanted, self.built.problem, self.item_there, written


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A difference, and what a repair needs of its candidate. ``known_problem``: no document can be made anyway."""

    difference: Difference
    below: int | None
    known_problem: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a difference must last (``settle_seconds``) and how long a key is looked at before it is given up.

    ``most`` bounds the candidates that wait at one time.
    """

    settle_seconds: float = 5.0
    patience_seconds: float = 120.0
    most: int = 10_000


Look = Callable[[Sequence[Candidate]], Sequence[Observation]]
# Time (microseconds) up to which everything in the stream is applied; None where nobody knows.
Passed = Callable[[], int | None]


class Rechecks:
    """The candidates that wait for their next look; what is found goes to ``report``, in batches.

    ``on_wait`` is called now and then while there is nothing to do but wait.
    """

    def __init__(
        self,
        look: Look,
        passed: Passed,
        clock: Clock,
        timing: Timing,
        bounds: Bounds,
        report: Callable[[Sequence[Confirmed]], None],
        on_wait: Callable[[], None],
    ) -> None:
        self._look = look
        self._passed = passed
        self._clock = clock
        self._skew_us = timing.clock_skew_us
        self._bounds = bounds
        self._report = report
        self._on_wait = on_wait
        self._queue: list[tuple[float, int, Candidate]] = []
        self._numbers = count()
        self._pump_at = float("-inf")
        self.in_motion = 0

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, candidate: Candidate) -> None:
        """Look at it again soon. Waits while too many are waiting already."""
        while len(self._queue) >= self._bounds.most:
            self._step()
            self._on_wait()
        candidate.give_up_at = self._clock.monotonic() + self._bounds.patience_seconds
        self._push(candidate, _FIRST_LOOK_SECONDS)

    def drain(self) -> None:
        """Wait until every candidate is decided."""
        while self._queue:
            self._step()
            self._on_wait()

    def pump(self) -> None:
        """Look at what is due, unless that was done just now."""
        if self._queue and self._clock.monotonic() >= self._pump_at:
            self._look_at_due()

    def _step(self) -> None:
        """Wait a little, and look at what is due then."""
        # A moment longer, so that what is due one after the other is looked at together.
        wait = max(0.0, self._queue[0][0] + _GATHER_SECONDS - self._clock.monotonic())
        self._clock.sleep(min(wait, _POLL_SECONDS))
        if wait <= _POLL_SECONDS:
            self._look_at_due()

    def _look_at_due(self) -> None:
        now = self._clock.monotonic()
        # Before the documents are read: what is applied after that says nothing about them.
        passed = self._passed()
        due: list[Candidate] = []
        while self._queue and self._queue[0][0] <= now:
            candidate = heappop(self._queue)[2]
            if candidate.state and now < candidate.give_up_at and not self._has_passed(passed, candidate.seen_at_us):
                self._push(candidate, _POLL_SECONDS)
            else:
                due.append(candidate)
        for start in range(0, len(due), _BATCH):
            self._look_at(due[start : start + _BATCH], passed)
        self._pump_at = self._clock.monotonic() + _FIRST_LOOK_SECONDS

    def _look_at(self, candidates: Sequence[Candidate], passed: int | None) -> None:
        found = []
        for candidate, sight in zip(candidates, self._look(candidates), strict=True):
            kind = self._judge(candidate, sight, passed)
            if kind:
                found.append(Confirmed(_difference(candidate, sight, kind), candidate.below, bool(sight.built.problem)))
        if found:
            self._report(found)

    def _judge(self, candidate: Candidate, sight: Observation, passed: int | None) -> Kind | None:
        """The kind of a difference that is one; None for what is none, or is to be looked at again."""
        if sight.equal or not (candidate.with_item if sight.item_there else candidate.without_item):
            return None
        if candidate.below is not None and sight.stored and sight.stored.version >= candidate.below:
            self.in_motion += 1
            return None
        over = self._clock.monotonic() >= candidate.give_up_at
        if candidate.state == sight.state:
            if self._has_passed(passed, candidate.seen_at_us):
                return _kind(sight)
            if over:
                return Kind.LAGGING
            self._push(candidate, _POLL_SECONDS)
        elif candidate.state and over:
            self.in_motion += 1
        else:
            candidate.state, candidate.seen_at_us = sight.state, sight.at_us
            self._push(candidate, self._bounds.settle_seconds)
        return None

    def _has_passed(self, passed: int | None, at_us: int) -> bool:
        return passed is None or passed > at_us + self._skew_us

    def _push(self, candidate: Candidate, seconds: float) -> None:
        heappush(self._queue, (self._clock.monotonic() + seconds, next(self._numbers), candidate))


def _kind(sight: Observation) -> Kind:
    if sight.stored is None:
        return Kind.MISSING
    return Kind.ORPHAN if sight.built.body is None else Kind.DIFFERENT


def _difference(candidate: Candidate, sight: Observation, kind: Kind) -> Difference:
    body, stored = sight.built.body, sight.stored
    fields = () if body is None or stored is None else differing_fields(body, stored.source)
    return Difference(kind, candidate.id, candidate.key, fields)
