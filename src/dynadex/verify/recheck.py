"""Recheck candidates until each is equal, a difference, lagging, or known to keep changing.

A table and an index cannot be read at the same instant, so a single check proves nothing: the change may still be in
the stream. A difference is confirmed when two checks see the same state (what the item becomes, and the sequence number
of the document), and between them the stream was applied past the first check and the settle time passed:

- Every change of the item before the first check was applied before the second check read the document.
- Nothing wrote the document between the checks, because that would have changed its sequence number.

Therefore every writer that had to write the document has done so, and wrote something else or nothing. If the position
in the stream is unknown, the settle time alone must be long enough. Each check reads the document before the item, as a
reconciliation does.
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

# The number of keys that one BatchGetItem takes.
_BATCH = 100
# Most candidates are lag of less than this.
_FIRST_CHECK_SECONDS = 0.5
_POLL_SECONDS = 1.0
# Added to each wait, so that candidates that are due shortly after one another are checked together.
_GATHER_SECONDS = 0.1

# What the item becomes, why it cannot be indexed, whether it exists, and the sequence number and primary term of the
# document's last write. Equal states mean that neither item nor document has changed.
State = tuple[bytes | None, str, bool, tuple[int, int] | None]


@dataclass(slots=True)
class Candidate:
    """A document id whose document and item seem to differ.

    ``key`` is None if no item can be read by key: either no key of the table has this id, or a scan did not return the
    item of a shortened id. The item then counts as absent. ``scan_version`` is the version of the start of that scan: a
    document with this version or a greater one was written since, and proves nothing. ``with_item`` and
    ``without_item`` are the cases in which this candidate is reported; the other direction of the comparison reports
    the other case. ``state`` and ``seen_at_us`` are those of the first of two equal checks.
    """

    id: str
    key: Item | None
    scan_version: int | None = None
    with_item: bool = True
    without_item: bool = True
    state: State | None = None
    seen_at_us: int = 0
    give_up_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """The document and then the item of a candidate, as one check read them; ``at_us`` is the time after the reads."""

    stored: Stored | None
    built: Built
    item_exists: bool
    at_us: int

    @property
    def equal(self) -> bool:
        """Whether the document equals what the item becomes."""
        return same(self.built.body, self.stored.source if self.stored else None)

    @property
    def state(self) -> State:
        """The state that must not change between two checks."""
        expected = written = None
        if self.built.body is not None:
            # DynamoDB may return the attributes of an item in a different order each time.
            text = json.dumps(decode(self.built.body), sort_keys=True, default=str)
            expected = blake2b(text.encode(), digest_size=16).digest()
        if self.stored:
            written = (self.stored.seq_no, self.stored.primary_term)
        return expected, self.built.problem, self.item_exists, written


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A confirmed difference, and what its repair needs.

    ``scan_version`` is that of the candidate. ``known_problem`` is true if no document can be built from the item.
    """

    difference: Difference
    scan_version: int | None
    known_problem: bool


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the rechecks.

    A difference must last for ``settle_seconds``. A key is rechecked for at most ``max_recheck_seconds``. At most
    ``max_waiting`` candidates wait at the same time; the comparison pauses while there are more.
    """

    settle_seconds: float = 5.0
    max_recheck_seconds: float = 120.0
    max_waiting: int = 10_000


# Read the documents of candidates, then their items.
Observe = Callable[[Sequence[Candidate]], Sequence[Observation]]
# Return the time in microseconds up to which the whole stream is applied, or None if it is unknown.
AppliedUntil = Callable[[], int | None]


class Rechecks:
    """A queue of candidates that wait for their next check."""

    def __init__(
        self, observe: Observe, applied_until: AppliedUntil, clock: Clock, timing: Timing, bounds: Bounds
    ) -> None:
        self._observe = observe
        self._applied_until = applied_until
        self._clock = clock
        self._skew_us = timing.clock_skew_us
        self._bounds = bounds
        self._queue: list[tuple[float, int, Candidate]] = []
        self._numbers = count()
        self._check_due_at = float("-inf")
        self.in_motion = 0
        """Keys that changed between all checks until the time limit: neither equal nor different."""

    def __len__(self) -> int:
        return len(self._queue)

    def confirm(self, steps: Iterable[Sequence[Candidate]]) -> Iterator[Sequence[Confirmed]]:
        """Yield the confirmed differences among the candidates of a comparison, in batches.

        A batch follows each step of the comparison and each wait. Most batches are empty: they let the caller report
        progress.
        """
        for candidates in steps:
            for candidate in candidates:
                while len(self._queue) >= self._bounds.max_waiting:
                    yield from self._wait()
                candidate.give_up_at = self._clock.monotonic() + self._bounds.max_recheck_seconds
                self._push(candidate, _FIRST_CHECK_SECONDS)
            # A stoppable clock ends the comparison here.
            self._clock.sleep(0)
            yield ()
            if self._queue and self._clock.monotonic() >= self._check_due_at:
                yield from self._check_due()
        while self._queue:
            yield from self._wait()

    def _wait(self) -> Iterator[Sequence[Confirmed]]:
        """Wait for the next candidate, at most for the poll interval, and check what is due."""
        pause = max(0.0, self._queue[0][0] + _GATHER_SECONDS - self._clock.monotonic())
        self._clock.sleep(min(pause, _POLL_SECONDS))
        yield ()
        if pause <= _POLL_SECONDS:
            yield from self._check_due()

    def _check_due(self) -> Iterator[Sequence[Confirmed]]:
        """Check what is due and yield the confirmed differences, at most 100 at a time: a repair has a time limit."""
        now = self._clock.monotonic()
        # Read before the documents: what is applied after this need not be in them.
        applied_us = self._applied_until()
        due: list[Candidate] = []
        while self._queue and self._queue[0][0] <= now:
            candidate = heappop(self._queue)[2]
            # Until the stream is applied past the first check, a second check cannot confirm a difference.
            if candidate.state and now < candidate.give_up_at and not self._is_past(applied_us, candidate.seen_at_us):
                self._push(candidate, _POLL_SECONDS)
            else:
                due.append(candidate)
        for start in range(0, len(due), _BATCH):
            yield list(self._check(due[start : start + _BATCH], applied_us))
        self._check_due_at = self._clock.monotonic() + _FIRST_CHECK_SECONDS

    def _check(self, candidates: Sequence[Candidate], applied_us: int | None) -> Iterator[Confirmed]:
        for candidate, observation in zip(candidates, self._observe(candidates), strict=True):
            kind = self._judge(candidate, observation, applied_us)
            if kind:
                difference = _difference(candidate, observation, kind)
                yield Confirmed(difference, candidate.scan_version, bool(observation.built.problem))

    def _judge(self, candidate: Candidate, observation: Observation, applied_us: int | None) -> Kind | None:
        """Return the kind of a confirmed difference; None if there is none, or if another check must decide."""
        is_reported = candidate.with_item if observation.item_exists else candidate.without_item
        if observation.equal or not is_reported:
            return None
        stored = observation.stored
        if candidate.scan_version is not None and stored and stored.version >= candidate.scan_version:
            self.in_motion += 1
            return None
        is_time_over = self._clock.monotonic() >= candidate.give_up_at
        if candidate.state == observation.state:
            if self._is_past(applied_us, candidate.seen_at_us):
                return _kind(observation)
            if is_time_over:
                return Kind.LAGGING
            self._push(candidate, _POLL_SECONDS)
        elif candidate.state and is_time_over:
            self.in_motion += 1
        else:
            candidate.state, candidate.seen_at_us = observation.state, observation.at_us
            self._push(candidate, self._bounds.settle_seconds)
        return None

    def _is_past(self, applied_us: int | None, at_us: int) -> bool:
        """Return whether the stream is applied past this time. An unknown position counts as past it."""
        return applied_us is None or applied_us > at_us + self._skew_us

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
