"""Stream records to an index: the one path that the Lambda handler and the worker share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from dynadex.change import Change
from dynadex.index.indexer import Indexer
from dynadex.index.prepare import PreparedChanges
from dynadex.index.results import ApplyResult
from dynadex.source.stream_event import Malformed, Record, parse


@dataclass(frozen=True, slots=True)
class Prepared:
    """What stream records come to before anything is written."""

    changes: PreparedChanges
    malformed: Sequence[Malformed]


class Batch(list[Record]):
    """Records that were read together. ``prepared`` is what they come to, where that was made ahead.

    A slice of a batch is a mere list: what becomes of a part must be found anew.
    """

    prepared: Prepared | None = None


def prepare_records(indexer: Indexer, records: Sequence[Record]) -> Prepared:
    """What ``apply_records`` does first, asking nobody. Raises ValueError for what is no stream record at all."""
    parsed = [parse(record) for record in records]
    changes = indexer.prepare(one for one in parsed if isinstance(one, Change))
    return Prepared(changes, [one for one in parsed if isinstance(one, Malformed)])


def prepare_batch(indexer: Indexer, batch: Batch) -> None:
    """Prepare a batch ahead. What is wrong with it is for those to meet who apply it, and can dead-letter it."""
    with suppress(Exception):
        batch.prepared = prepare_records(indexer, batch)


def apply_records(indexer: Indexer, records: Sequence[Record], deadline: float) -> ApplyResult:
    """Apply stream records; every one not in ``failed`` of the result is applied, stale or dead-lettered.

    ``deadline`` is of the indexer's monotonic clock. Raises ValueError for what is no stream record at all, and
    SearchError or SourceError when something other than the data is at fault.
    """
    prepared = records.prepared if isinstance(records, Batch) else None
    if prepared is None:
        prepared = prepare_records(indexer, records)
    tally = indexer.apply(prepared.changes, deadline)
    letters = [indexer.letter("", "", None, one.reason, one.sequence_number) for one in prepared.malformed]
    problem = indexer.add(letters, tally)
    if problem:
        tally.failed |= {one.sequence_number: problem for one in prepared.malformed}
    return tally
