"""Application of stream records to the indexes, shared by the Lambda handler and the worker."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from dynadex.change import Change
from dynadex.index.indexer import Indexer
from dynadex.index.prepare import PreparedChanges
from dynadex.index.results import ApplyResult
from dynadex.source.stream_event import Malformed, Record, parse


@dataclass(frozen=True, slots=True)
class PreparedRecords:
    """Stream records, parsed and prepared for writing."""

    changes: PreparedChanges
    malformed: Sequence[Malformed]


class Batch(list[Record]):
    """Records that were read together; ``prepared`` holds the result of preparing them ahead of time.

    A slice of a batch is a plain list, and is prepared when it is applied.
    """

    prepared: PreparedRecords | None = None


def prepare_records(indexer: Indexer, records: Sequence[Record]) -> PreparedRecords:
    """Parse and prepare records, without calling table or index. Raises ValueError for an invalid stream record."""
    parsed = [parse(record) for record in records]
    changes = indexer.prepare(change for change in parsed if isinstance(change, Change))
    return PreparedRecords(changes, [record for record in parsed if isinstance(record, Malformed)])


def prepare_batch(indexer: Indexer, batch: Batch) -> None:
    """Prepare a batch ahead of time. Errors are left to ``apply_records``, whose caller handles them."""
    with suppress(Exception):
        batch.prepared = prepare_records(indexer, batch)


def apply_records(indexer: Indexer, records: Sequence[Record], deadline: float) -> ApplyResult:
    """Apply stream records to every index.

    Args:
        indexer: Indexer of the sync.
        records: Stream records, oldest first.
        deadline: Reading of the indexer's monotonic clock.

    Returns:
        The result: every record not in ``failed`` is applied, superseded, reconciled or dead-lettered.

    Raises:
        ValueError: A record is not a valid stream record.
        SearchError: The search cluster rejects a request, or is unavailable.
        SourceError: Items cannot be read.
    """
    prepared = records.prepared if isinstance(records, Batch) else None
    if prepared is None:
        prepared = prepare_records(indexer, records)
    result = indexer.apply(prepared.changes, deadline)
    letters = [indexer.letter("", "", None, record.reason, record.sequence_number) for record in prepared.malformed]
    problem = indexer.dead_letter(letters)
    if problem:
        failed = dict.fromkeys([record.sequence_number for record in prepared.malformed], problem)
        return replace(result, failed=result.failed | failed)
    return replace(result, dead_lettered=result.dead_lettered + len(letters))
