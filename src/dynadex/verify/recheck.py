"""Look again at what seems to differ, until it is lag, a difference, or a key that keeps changing.

Table and index cannot be read at one instant, so one look proves nothing: the change may be on its way. A difference is
confirmed when two looks see the same state - what the item becomes, and the document's sequence number - and between
them the stream was applied past the first look, and the settle time passed:

- Everything that had happened to the item by the first look was applied before the second look read the document.
- Nothing wrote the document in between, or its sequence number would have changed.

So every writer that had to write the document has done so, and wrote something else, or nothing. (Where it is not known
how far the stream is applied, the settle time alone must be long enough for that.) Each look reads the document before
the item, as a reconciliation does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    """A document id that seems to differ.

    ``key`` None: no item can be looked up, so it counts as absent: either no key of the table has this id, or a scan
    has not seen it. ``below`` is the version that the scan's start stands for: a document at or above it was written
    since, and proves nothing. ``with_item`` and ``without_item`` tell in which case this candidate is reported; the
    other direction reports the other case.
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
        expected = written = None
        if self.built.body is not None:
            # DynamoDB may return an item's attributes in another order each time.
            text = json.dumps(decode(self.built.body), sort_keys=True, default=str)
            expected = blake2b(text.encode(), digest_size=16).digest()
        if self.stored:
            written = (self.stored.seq_no, self.stored.primary_term)
        return expected, self.built.problem, self.item_there, written


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A difference, and what a repair needs of its candidate. ``known_problem``: no document can be made anyway."""

    difference: Difference
    below: int | None
    known_problem: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a difference must last (``settle_seconds``), and how long a key is looked at (``patience_seconds``).

    ``max_waiting`` bounds the candidates that wait for a look at one time.
    """

    settle_seconds: float = 5.0
    patience_seconds: float = 120.0
    max_waiting: int = 10_000


Look = Callable[[Sequence[Candidate]], Sequence[Observation]]
# Time (microseconds) up to which everything in the stream is applied; None where that is not known.
Passed = Callable[[], int | None]


class Rechecks:
    """The candidates that wait for their next look."""

    def __init__(self, look: Look, passed: Passed, clock: Clock, timing: Timing, bounds: Bounds) -> None:
        self._look = look
        self._passed = passed
        self._clock = clock
        self._skew_us = timing.clock_skew_us
        self._bounds = bounds
        self._queue: list[tuple[float, int, Candidate]] = []
        self._numbers = count()
        self._look_due_at = float("-inf")
        self.in_motion = 0
        """Keys that changed at every look until their time was over: neither equal nor different."""

    def __len__(self) -> int:
        return len(self._queue)

    def confirm(self, steps: Iterable[Sequence[Candidate]]) -> Iterator[Sequence[Confirmed]]:
        """Yield the differences among the candidates of a comparison's steps: after each step, and while waiting.

        Most of what is yielded is empty: a chance to report progress, or to stop.
        """
        for candidates in steps:
            for candidate in candidates:
                while len(self._queue) >= self._bounds.max_waiting:
                    yield self._wait()
                candidate.give_up_at = self._clock.monotonic() + self._bounds.patience_seconds
                self._push(candidate, _FIRST_LOOK_SECONDS)
            # A stoppable clock ends the comparison here.
            self._clock.sleep(0)
            is_due = self._queue and self._clock.monotonic() >= self._look_due_at
            yield self._look_at_due() if is_due else ()
        while self._queue:
            yield self._wait()

    def _wait(self) -> Sequence[Confirmed]:
        """Wait a little, and look at what is due then."""
        # A moment longer, so that what is due one after the other is looked at together.
        pause = max(0.0, self._queue[0][0] + _GATHER_SECONDS - self._clock.monotonic())
        self._clock.sleep(min(pause, _POLL_SECONDS))
        return self._look_at_due() if pause <= _POLL_SECONDS else ()

    def _look_at_due(self) -> Sequence[Confirmed]:
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
        confirmed: list[Confirmed] = []
        for start in range(0, len(due), _BATCH):
            confirmed += self._look_at(due[start : start + _BATCH], passed)
        self._look_due_at = self._clock.monotonic() + _FIRST_LOOK_SECONDS
        return confirmed

    def _look_at(self, candidates: Sequence[Candidate], passed: int | None) -> Iterator[Confirmed]:
        for candidate, observation in zip(candidates, self._look(candidates), strict=True):
            kind = self._judge(candidate, observation, passed)
            if kind:
                difference = _difference(candidate, observation, kind)
                yield Confirmed(difference, candidate.below, bool(observation.built.problem))

    def _judge(self, candidate: Candidate, observation: Observation, passed: int | None) -> Kind | None:
        """The kind of a confirmed difference; None where there is none, or where another look must decide."""
        in_scope = candidate.with_item if observation.item_there else candidate.without_item
        if observation.equal or not in_scope:
            return None
        stored = observation.stored
        if candidate.below is not None and stored and stored.version >= candidate.below:
            self.in_motion += 1
            return None
        over = self._clock.monotonic() >= candidate.give_up_at
        if candidate.state == observation.state:
            if self._has_passed(passed, candidate.seen_at_us):
                return _kind(observation)
            if over:
                return Kind.LAGGING
            self._push(candidate, _POLL_SECONDS)
        elif candidate.state and over:
            self.in_motion += 1
        else:
            candidate.state, candidate.seen_at_us = observation.state, observation.at_us
            self._push(candidate, self._bounds.settle_seconds)
        return None

    def _has_passed(self, passed: int | None, at_us: int) -> bool:
        return passed is None or passed > at_us + self._skew_us

    def _push(self, candidate: Candidate, seconds: float) -> None:
        heappush(self._queue, (self._clock.monotonic() + seconds, next(self._numbers), candidate))


def _kind(observation: Observation) -> Kind:
    if observation.stored is None:
        return Kind.MISSING
    return Kind.ORPHAN if observation.built.body is None else Kind.DIFFERENT


def _difference(candidate: Candidate, observation: Observation, kind: Kind) -> Difference:
    body, stored = observation.built.body, observation.stored
    fields = () if body is None or stored is None else differing_fields(body, stored.source)
    return Difference(kind, candidate.id, candidate.key, fields)
