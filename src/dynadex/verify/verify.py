"""`dynadex verify`: compare every item with its document and every document with its item, under concurrent writes.

Memory use does not grow with the table: items are read a page at a time and documents a batch at a time, the documents
that were read are kept as a fingerprint of fixed size, and candidates wait in a bounded queue. `compare` shows why no
difference is missed or reported twice, `recheck` why lag is never reported as a difference.
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
from dynadex.verify.recheck import AppliedUntil, Bounds, Candidate, Observation, Rechecks
from dynadex.verify.repair import Repair, unrepaired
from dynadex.verify.result import Difference, VerifyResult

_log = logging.getLogger(__name__)

_ALL = 100.0
# A sample consists of several segments, spread over the table. Each costs a request, even if it contains no items.
_MIN_SEGMENTS, _MAX_SEGMENTS, _ITEMS_PER_SEGMENT = 5, 50, 200
_MAX_TOTAL_SEGMENTS = 1_000_000
_SALT_BYTES = 16
_NOT_IN_A_NAME = frozenset(' "*\\<|,>/?#:')


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of a verify.

    ``sample`` is a percentage above 0; None compares everything. ``seed`` makes the choice of a sample repeatable.
    """

    sample: float | None = None
    repair: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.sample is not None and not 0 < self.sample <= _ALL:
            raise DynadexError(
                "verify", f"a sample of {self.sample:g} %", "it is not a valid percentage",
                "Choose a percentage above 0, and at most 100.",
            )  # fmt: skip
        if self.sample == _ALL:
            object.__setattr__(self, "sample", None)


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Progress of a verify.

    ``total`` is the approximate number of items to compare, None if unknown. ``differences`` counts the confirmed
    differences, ``waiting`` the candidates that wait for a recheck.
    """

    items: int
    total: int | None
    documents: int
    differences: int
    waiting: int


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class VerifyCallbacks:
    """Callbacks of a verify: called with each difference once, and with the progress after each step."""

    on_difference: Callable[[Difference], None] = _ignore
    on_progress: Callable[[VerifyProgress], None] = _ignore


def verify(
    runtime: Runtime,
    index: str,
    options: VerifyOptions,
    callbacks: VerifyCallbacks,
    applied_until: AppliedUntil | None = None,
) -> VerifyResult:
    """Compare the table with one physical index, and repair the differences if ``options.repair`` is set.

    Reports what differed throughout, but not what differs only while a change is in the stream. Waits for backends
    that become unavailable, and logs this. ``applied_until`` returns how far the stream is applied; by default, the
    checkpoints of a worker do, if there are any. Raises SearchError, SourceError or StateError for an error that is not
    transient, and Stopping when the clock of the runtime is stopped.
    """
    result = VerifyResult(index, options.sample)
    retry = Retrier(runtime.clock, _log)
    position = applied_until or _checkpoints(runtime)
    expected_items = round(runtime.description.item_count * (options.sample or _ALL) / _ALL) or None
    comparison = Comparison(runtime, result, retry)
    rechecks = Rechecks(
        lambda candidates: retry(lambda: _observe(runtime, index, candidates)),
        lambda: retry(position),
        runtime.clock,
        runtime.timing,
        options.bounds,
    )
    repair = Repair(runtime, index, retry).repaired if options.repair else unrepaired
    with infrequent_gc():
        # A pipeline of generators: compare | recheck | repair.
        for differences in repair(rechecks.confirm(_steps(comparison, options, expected_items))):
            for difference in differences:
                result.count(difference)
                callbacks.on_difference(difference)
            callbacks.on_progress(
                VerifyProgress(
                    result.items, expected_items, result.documents, result.differences.total(), len(rechecks)
                )
            )
    result.in_motion = rechecks.in_motion
    return result


def resolve_index(runtime: Runtime, name: str, *, repair: bool = False) -> str:
    """Return the physical index with this name, or the newest one behind this alias.

    Raises SearchError (404) if it does not exist; with ``repair``, also if the Sync does not write it, because a repair
    would replace its documents.
    """
    if not name or name.startswith("_") or _NOT_IN_A_NAME.intersection(name):
        # OpenSearch would expand it as a pattern or as a list of indexes.
        reason = "it is not the name of a single index or alias"
        raise SearchError("verify index", repr(name), reason, "Omit --index, or name one index or alias.")
    behind_alias = runtime.index.indexes_behind(name)
    if not behind_alias and not runtime.index.exists(name):
        hint = "See `dynadex indexes` for the existing ones; `dynadex refill` creates the first one."
        raise SearchError("verify index", name, "it does not exist", hint, status=404)
    physical = behind_alias[-1] if behind_alias else name
    written = runtime.index.indexes_behind(sync_alias(runtime.sync.index))
    if repair and physical not in written:
        reason = f"dynadex does not write {physical} for {runtime.sync.index}, and a repair would replace its documents"
        hint = f"Choose from: {', '.join(written)}." if written else "Create an index with `dynadex refill`."
        raise SearchError("repair index", name, reason, hint)
    return physical


def save_result(runtime: Runtime, result: VerifyResult) -> None:
    """Store the result for `dynadex status`, unless it is that of a sample. Raises StateError."""
    if result.sample is None:
        runtime.state().ensure()
        finished_at = iso(runtime.clock.now_us())
        LastRuns(runtime.state()).note("verify", {"finished_at": finished_at, **result.summary()})


def _steps(comparison: Comparison, options: VerifyOptions, expected_items: int | None) -> Steps:
    """Return the steps of a comparison of everything, or of a sample."""
    if options.sample is None:
        return comparison.compare_all()
    chance = random.Random(options.seed)
    segments, total_segments = _segments(options.sample, expected_items, chance)
    return comparison.compare_sample(segments, total_segments, options.sample, chance.randbytes(_SALT_BYTES))


def _observe(runtime: Runtime, index: str, candidates: Sequence[Candidate]) -> list[Observation]:
    """Read the documents of candidates, then their items."""
    documents = runtime.index.get_many(index, [candidate.id for candidate in candidates])
    read = iter(runtime.table.read_items([key for candidate in candidates if (key := candidate.key) is not None]))
    items = [None if candidate.key is None else next(read) for candidate in candidates]
    now = runtime.clock.now_us()
    return [
        Observation(document, runtime.sync.build(item) if item else NOT_INDEXED, item is not None, now)
        for document, item in zip(documents, items, strict=True)
    ]


def _checkpoints(runtime: Runtime) -> AppliedUntil:
    """Return how far the checkpoints of a worker are. A verify does not create the state table."""
    state = runtime.state()
    return Checkpoints(state, runtime.clock).passed_us if state.exists() else lambda: None


def _segments(percent: float, expected_items: int | None, chance: random.Random) -> tuple[list[int], int]:
    """Return the segments to scan for about the expected number of items (None: unknown), and their total number."""
    target = _MAX_SEGMENTS if expected_items is None else expected_items // _ITEMS_PER_SEGMENT
    total = round(min(_MAX_TOTAL_SEGMENTS, max(_MIN_SEGMENTS, min(_MAX_SEGMENTS, target)) * _ALL / percent))
    return chance.sample(range(total), max(1, round(total * percent / _ALL))), total
