"""Stream records to an index: the one path that the Lambda handler and the worker share."""

from __future__ import annotations

from collections.abc import Sequence

from dynadex.change import Change
from dynadex.index.indexer import Indexer
from dynadex.index.tally import Tally
from dynadex.source.stream_event import Malformed, Record, parse


def apply_records(indexer: Indexer, records: Sequence[Record], deadline: float) -> Tally:
    """Apply stream records; every one not in ``failed`` of the result is applied, stale or parked.

    ``deadline`` is of the indexer's monotonic clock. Raises ValueError for what is no stream record at all, and
    SearchError or SourceError when something other than the data is at fault.
    """
    parsed = [parse(record) for record in records]
    tally = indexer.apply([one for one in parsed if isinstance(one, Change)], deadline)
    malformed = [one for one in parsed if isinstance(one, Malformed)]
    letters = [indexer.letter("", "", None, one.reason, one.sequence_number) for one in malformed]
    problem = indexer.park(letters, tally)
    if problem:
        tally.failed |= {one.sequence_number: problem for one in malformed}
    return tally
