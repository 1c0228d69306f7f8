"""Is the new index at least as good as the old one? Asked before searches are let loose on it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dynadex.errors import SearchError
from dynadex.index.aliases import searched_index
from dynadex.index.lifecycle import end_building, swap_read_alias
from dynadex.refill.plan import RefillPlan
from dynadex.runtime import Runtime
from dynadex.verify.recheck import AppliedUntil
from dynadex.verify.verify import Bounds, Difference, Kind, VerifyCallbacks, VerifyOptions, VerifyResult, verify

_log = logging.getLogger(__name__)

# A sample is of about so many items, however large the table.
_SAMPLED_ITEMS = 5000
_MAX_EXAMPLES = 5
# A comparison does not wait for an index that lags longer than this: it is not the new index's fault.
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class IndexComparison:
    """A new index beside the one it is to replace.

    ``worse`` counts, by kind, documents that are not what their items become, and those that only the old index has;
    ``examples`` are ids of them.
    """

    name: str
    old: str
    documents: int
    documents_of_old: int
    verified: VerifyResult
    worse: Counter[Kind]
    examples: Sequence[str] = ()

    def __str__(self) -> str:
        counts = f"{self.documents:,} documents, {self.documents_of_old:,} in the old one"
        share = f"a sample of {self.verified.items:,}" if self.verified.sample else f"all {self.verified.items:,}"
        if not self.worse:
            return f"{counts}; {share} items compared: equal"
        found = ", ".join(f"{number:,} {kind}" for kind, number in self.worse.items())
        return f"{counts}; {share} items compared: {found} (such as {', '.join(self.examples)})"


def compare_and_swap(
    runtime: Runtime,
    plan: RefillPlan,
    *,
    everything: bool = False,
    force: bool = False,
    passed: AppliedUntil | None = None,
) -> IndexComparison | None:
    """Make the filled index searchable, compare it with the one in use, and swap unless it is worse.

    ``passed`` is the ``applied_until`` of `verify`. None: searches use it already. Raises SearchError when it is
    worse, unless ``force``; searches then still use the old one.
    """
    index, [name] = runtime.sync.index, plan.indexes
    old = searched_index(runtime.index, index)
    if old == name:
        return None
    end_building(runtime.index, name, runtime.sync.settings)
    comparison = compare(runtime, name, old, everything=everything, passed=passed)
    if comparison.worse and not force:
        raise SearchError(
            "swap to index", name, f"it is worse than the one in use: {comparison}",
            f"Searches still use {old}. Mend the cause and go on with `dynadex rebuild --resume`; or remove the new "
            f"index with `dynadex retire MODULE:ATTRIBUTE {name}`; or swap all the same, with --resume --force.",
        )  # fmt: skip
    swap_read_alias(runtime.index, index, name)
    return comparison


def compare(
    runtime: Runtime,
    name: str,
    old: str,
    *,
    everything: bool = False,
    passed: AppliedUntil | None = None,
) -> IndexComparison:
    """Compare a new index with its table, and where it lacks a document, with the old index.

    What both lack cannot be indexed either way, and lag is not the new index's fault. Every item is compared if
    asked for, or if the new index has fewer documents than the old; otherwise a sample.
    """
    cluster = runtime.index
    cluster.refresh(old)
    documents, documents_of_old = cluster.count(name), cluster.count(old)
    sample = None
    if not everything and documents >= documents_of_old > _SAMPLED_ITEMS:
        sample = 100 * _SAMPLED_ITEMS / documents_of_old
    share = "every item" if sample is None else f"about {_SAMPLED_ITEMS:,} items"
    _log.info(f"comparing {share} with index {name}", extra={"index": name, "sample_percent": sample})
    worse: Counter[Kind] = Counter()
    examples: list[str] = []

    def on_difference(difference: Difference) -> None:
        if difference.kind is Kind.LAGGING:
            return
        if difference.kind is Kind.MISSING and cluster.get_many(old, [difference.id]) == [None]:
            return
        worse[difference.kind] += 1
        if len(examples) < _MAX_EXAMPLES:
            examples.append(difference.id)

    options = VerifyOptions(sample, bounds=Bounds(patience_seconds=_PATIENCE_SECONDS))
    verified = verify(runtime, name, options, VerifyCallbacks(on_difference), passed)
    return IndexComparison(name, old, documents, documents_of_old, verified, worse, examples)
