"""Promotes the index of a rebuild, unless a comparison shows that it is worse than the index in use."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dynadex.errors import SearchError
from dynadex.index.aliases import searched_index
from dynadex.index.lifecycle import end_building, promote_index
from dynadex.refill.plan import RefillPlan
from dynadex.runtime import Runtime
from dynadex.verify.recheck import AppliedUntil, Bounds
from dynadex.verify.result import Difference, Kind, VerifyResult
from dynadex.verify.verify import VerifyCallbacks, VerifyOptions, verify

_log = logging.getLogger(__name__)

# Approximate size of a sample, regardless of the size of the table.
_SAMPLED_ITEMS = 5000
_MAX_EXAMPLES = 5
# A comparison does not wait for an index that lags longer than this: lag is not a defect of the new index.
_MAX_RECHECK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class IndexComparison:
    """Comparison of a new index with the index that it is to replace.

    ``name`` is the new index, with ``documents``; ``old`` the one in use, with ``old_documents``. ``worse`` counts, by
    kind, documents that differ from their items, and documents that only the old index has; ``examples`` are ids of
    them. ``verified`` is the result of comparing the new index with the table.
    """

    name: str
    old: str
    documents: int
    old_documents: int
    verified: VerifyResult
    worse: Counter[Kind]
    examples: Sequence[str] = ()

    def __str__(self) -> str:
        counts = f"{self.documents:,} documents, {self.old_documents:,} in the old one"
        share = f"a sample of {self.verified.items:,}" if self.verified.sample else f"all {self.verified.items:,}"
        if not self.worse:
            return f"{counts}; {share} items compared: equal"
        defects = ", ".join(f"{number:,} {kind}" for kind, number in self.worse.items())
        return f"{counts}; {share} items compared: {defects} (such as {', '.join(self.examples)})"


def promote(
    runtime: Runtime,
    plan: RefillPlan,
    *,
    every_item: bool = False,
    force: bool = False,
    applied_until: AppliedUntil | None = None,
) -> IndexComparison | None:
    """Make the filled index searchable, compare it with the index in use, and promote it unless it is worse.

    ``applied_until`` is passed to `verify`. Returns the comparison, or None if searches use the index already.
    Raises SearchError if the index is worse, unless ``force`` is set; searches then still use the old index.
    """
    index, [name] = runtime.sync.index, plan.indexes
    old = searched_index(runtime.index, index)
    if old == name:
        return None
    end_building(runtime.index, name, runtime.sync.settings)
    comparison = compare(runtime, name, old, every_item=every_item, applied_until=applied_until)
    if comparison.worse and not force:
        raise SearchError(
            "promote index", name, f"it is worse than the one in use: {comparison}",
            f"Searches still use {old}. Fix the cause and continue with `dynadex rebuild --resume`; or delete the new "
            f"index with `dynadex retire MODULE:ATTRIBUTE {name}`; or promote it nevertheless with --resume --force.",
        )  # fmt: skip
    promote_index(runtime.index, index, name)
    return comparison


def compare(
    runtime: Runtime,
    name: str,
    old: str,
    *,
    every_item: bool = False,
    applied_until: AppliedUntil | None = None,
) -> IndexComparison:
    """Compare a new index with its table and, if it lacks a document, with the old index.

    A document that both indexes lack cannot be indexed either way, and lag is not a defect of the new index: neither
    counts as worse. Compares a sample, unless ``every_item`` is set or the new index has fewer documents than the old.
    """
    cluster = runtime.index
    cluster.refresh(old)
    documents, old_documents = cluster.count(name), cluster.count(old)
    sample_percent = None
    if not every_item and documents >= old_documents > _SAMPLED_ITEMS:
        sample_percent = 100 * _SAMPLED_ITEMS / old_documents
    share = "every item" if sample_percent is None else f"about {_SAMPLED_ITEMS:,} items"
    _log.info(f"comparing {share} with index {name}", extra={"index": name, "sample_percent": sample_percent})
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

    options = VerifyOptions(sample_percent, bounds=Bounds(max_recheck_seconds=_MAX_RECHECK_SECONDS))
    verified = verify(runtime, name, options, VerifyCallbacks(on_difference), applied_until)
    return IndexComparison(name, old, documents, old_documents, verified, worse, examples)
