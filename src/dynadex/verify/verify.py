"""`dynadex verify`: every item against its document and every document against its item, while writes go on.

Memory does not grow with the table: items come a page at a time, documents by the batch, which documents have been
seen is a fingerprint of fixed size, and candidates wait in a bounded queue. Why nothing is missed or told twice is in
``verify_directions``; why lag is never told as a difference is in ``verify_candidates``.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dynadex.clock import iso
from dynadex.document.body import NOT_INDEXED
from dynadex.errors import DynadexError, SearchError
from dynadex.gc_tuning import infrequent_gc
from dynadex.index.aliases import sync_alias
from dynadex.retry import Retrier
from dynadex.runtime import Runtime
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.last_runs import LastRuns
from dynadex.verify.compare import Comparison, Steps
from dynadex.verify.recheck import Bounds, Candidate, Observation, Passed, Rechecks
from dynadex.verify.repair import Repair, unrepaired
from dynadex.verify.result import Difference, Kind, Verified

__all__ = [
    "Bounds", "Difference", "Kind", "Verified", "VerifyOptions", "VerifyProgress", "VerifyReport", "remember",
    "resolved", "verify",
]  # fmt: skip

_log = logging.getLogger(__name__)

_ALL = 100.0
# A sample is of so many segments, spread over the table: each costs a request, however little is in it.
_MIN_SAMPLED, _MAX_SAMPLED, _ITEMS_PER_SAMPLED = 5, 50, 200
_MAX_SEGMENTS = 1_000_000
_SALT_BYTES = 16
_NOT_IN_A_NAME = frozenset(' "*\\<|,>/?#:')


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What can be chosen. ``sample`` is a percentage above 0 (None: everything); ``seed`` makes it choose the same."""

    sample: float | None = None
    repair: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.sample is not None and not 0 < self.sample <= _ALL:
            raise DynadexError(
                "verify", f"a sample of {self.sample:g} %", "it is no percentage", "Give one above 0, at most 100."
            )
        if self.sample == _ALL:
            object.__setattr__(self, "sample", None)


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """How far it is. ``total`` is about how many items there are to compare, None where that is not known.

    ``differences`` are those found so far, ``waiting`` the keys that seem to differ and are looked at again.
    """

    items: int
    total: int | None
    documents: int
    differences: int
    waiting: int


def _silent(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a verify calls: with each difference once, and with its progress after each step."""

    on_difference: Callable[[Difference], None] = _silent
    on_progress: Callable[[VerifyProgress], None] = _silent


def verify(
    runtime: Runtime, index: str, options: VerifyOptions, report: VerifyReport, passed: Passed | None = None
) -> Verified:
    """Compare the table with one physical index, and repair what differs if that is asked for.

    ``passed`` says how far the stream is applied; by default a worker's checkpoints do, where there are any.
    Whatever differed throughout is reported; what differs for as long as a change is on its way is not. Waits for
    backends that go away meanwhile, saying so. Raises SearchError, SourceError or StateError for what waiting cannot
    mend, and Stopping once the runtime's clock is stopped.
    """
    verified = Verified(index, options.sample)
    retry = Retrier(runtime.clock, _log)
    passed = passed or _passed(runtime)
    expected_items = round(runtime.description.item_count * (options.sample or _ALL) / _ALL) or None
    rechecks = Rechecks(
        lambda candidates: retry(lambda: _look(runtime, index, candidates)),
        lambda: retry(passed),
        runtime.clock,
        runtime.timing,
        options.bounds,
    )
    with infrequent_gc():
        candidates = _steps(Comparison(runtime, verified, retry), options, expected_items)
        confirmed = rechecks.confirm(candidates)
        repair = Repair(runtime, index, retry).repaired if options.repair else unrepaired
        for differences in repair(confirmed):
            for difference in differences:
                verified.count(difference)
                report.on_difference(difference)
            found = verified.found.total()
            report.on_progress(VerifyProgress(verified.items, expected_items, verified.documents, found, len(rechecks)))
    verified.in_motion = rechecks.in_motion
    return verified


def resolved(runtime: Runtime, name: str, *, repair: bool = False) -> str:
    """The physical index of this name, or the newest behind this alias.

    Raises SearchError (404), and for an index of somebody else's that is to be repaired: it would lose what it holds.
    """
    if not name or name.startswith("_") or _NOT_IN_A_NAME.intersection(name):
        # A cluster takes it for a pattern, or for all.
        raise SearchError("verify index", repr(name), "that is no name of one index", "Leave --index out, or name one.")
    behind = runtime.index.indexes_behind(name)
    if not behind and not runtime.index.exists(name):
        hint = "See `dynadex indexes` for those there are; `dynadex refill` creates the first one."
        raise SearchError("verify index", name, "there is no such index", hint, status=404)
    found = behind[-1] if behind else name
    ours = runtime.index.indexes_behind(sync_alias(runtime.sync.index))
    if repair and found not in ours:
        reason = (
            f"{found} is no index that is written for {runtime.sync.index}, and repairing would replace what it holds"
        )
        raise SearchError("repair index", name, reason, f"There are: {', '.join(ours)}." if ours else "There is none.")
    return found


def remember(runtime: Runtime, verified: Verified) -> None:
    """Keep the result for `dynadex status`, unless it is that of a sample. Raises StateError."""
    if verified.sample is None:
        runtime.state().ensure()
        finished_at = iso(runtime.clock.now_us())
        LastRuns(runtime.state()).note("verify", {"finished_at": finished_at, **verified.summary()})


def _steps(comparison: Comparison, options: VerifyOptions, expected_items: int | None) -> Steps:
    """The steps of a comparison of everything, or of a sample."""
    if options.sample is None:
        return comparison.everything()
    chance = random.Random(options.seed)
    segments, total_segments = _segments(options.sample, expected_items, chance)
    return comparison.sample(segments, total_segments, options.sample, chance.randbytes(_SALT_BYTES))


def _look(runtime: Runtime, index: str, candidates: Sequence[Candidate]) -> list[Observation]:
    """Read the documents of candidates, then their items."""
    stored = runtime.index.get_many(index, [candidate.id for candidate in candidates])
    items = iter(runtime.table.read_items([key for candidate in candidates if (key := candidate.key) is not None]))
    observed = [None if candidate.key is None else next(items) for candidate in candidates]
    now = runtime.clock.now_us()
    return [
        Observation(document, runtime.sync.build(item) if item else NOT_INDEXED, item is not None, now)
        for document, item in zip(stored, observed, strict=True)
    ]


def _passed(runtime: Runtime) -> Passed:
    """What a worker's checkpoints say. Where none was ever kept, asking for them must not make a table."""
    state = runtime.state()
    return Checkpoints(state, runtime.clock).passed_us if state.exists() else lambda: None


def _segments(percent: float, expected: int | None, chance: random.Random) -> tuple[list[int], int]:
    """Which segments to scan for about ``expected`` items (None: unknown), and of how many."""
    wanted = _MAX_SAMPLED if expected is None else expected // _ITEMS_PER_SAMPLED
    total = round(min(_MAX_SEGMENTS, max(_MIN_SAMPLED, min(_MAX_SAMPLED, wanted)) * _ALL / percent))
    return chance.sample(range(total), max(1, round(total * percent / _ALL))), total
