"""Stream catch-up: speed of the worker on a backlog of changes, compared with a loop that only sends bulk requests.

The worker follows one shard, whose changes must stay in order, so it sends one bulk request at a time; so does the
baseline. The worker also reads a synthetic stream, writes checkpoints and renews its lease.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.backends import synthetic_sync
from bench.ratios import Ratios, share
from bench.refill import bare_loop, lines_of
from dynadex import Sync
from dynadex.index.results import ApplyResult
from dynadex.runtime import connect
from dynadex.settings import RuntimeSettings
from dynadex.source.stream_event import Record
from dynadex.worker.follow import follow

_ROUNDS = 3
_CHANGES = 100_000
_NAME = "bench-catch-up"


class _Observer:
    """Stops the worker once all changes are applied."""

    def __init__(self, records: int, stop: threading.Event) -> None:
        self._left = records
        self._stop = stop
        self.began = 0.0
        self.ended = 0.0

    def on_start(self, records: Sequence[Record]) -> None:  # noqa: ARG002
        self.began = self.began or time.perf_counter()

    def on_result(self, records: Sequence[Record], result: ApplyResult) -> None:
        assert result.applied == len(records), result
        self._left -= len(records)
        if not self._left:
            self.ended = time.perf_counter()
            self._stop.set()


def main() -> Iterator[str]:
    """Yield the results."""
    with synthetic_sync(_NAME, _CHANGES) as (sync, settings):
        lines, coding = lines_of(sync, _CHANGES)
        ratios = Ratios()
        for turn in range(_ROUNDS):
            limit = bare_loop(connect(sync, settings), lines, _NAME, settings.worker_batch_size, threads=1)
            ratios.add(limit, _catch_up(sync, settings, str(turn)))
    each = _CHANGES / ratios.candidate_median
    yield f"catch-up on {_CHANGES:,} changes: {ratios} the speed of bare bulk requests; {each:,.0f} changes per second"
    yield share(coding, ratios)


def _catch_up(sync: Sync, settings: RuntimeSettings, turn: str) -> float:
    """Return the seconds from the first record read to the last one applied, with a new index and state table."""
    stop = threading.Event()
    observer = _Observer(_CHANGES, stop)
    own = replace(settings, state_table=f"{_NAME}-{turn}")
    follow(sync, own, stop, observer=observer)
    index = connect(sync, own).index
    for name in index.indexes_behind(_NAME):
        index.delete(name)
    return observer.ended - observer.began
