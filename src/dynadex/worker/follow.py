"""Everything that `dynadex run` does: connect one Sync, start a worker, and log its progress until it is stopped."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from dynadex import clients
from dynadex.clock import Clock, StoppableClock
from dynadex.document.identity import document_id
from dynadex.gc_tuning import infrequent_gc
from dynadex.index.aliases import is_unfilled
from dynadex.index.apply_records import apply_records, prepare_batch
from dynadex.index.results import ApplyResult
from dynadex.retry import Retrier
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.source.shards import STREAM_RETENTION_US
from dynadex.source.stream_event import Record, sequence_number, time_us
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.last_runs import LastRuns
from dynadex.state.lease import Lease
from dynadex.state.state_table import StateTable
from dynadex.sync import Sync
from dynadex.text import counted
from dynadex.worker.event_source_mapping import EventSourceMapping, Limits
from dynadex.worker.shard_follower import Delivery, FollowedStream, Pace
from dynadex.worker.worker import Worker

_log = logging.getLogger(__name__)

_REPORT_SECONDS = 5.0


class BatchObserver(Protocol):
    """Receives each batch before and after it is applied. The worker's threads call it concurrently."""

    def on_start(self, records: Sequence[Record]) -> None:
        """Called before records are applied; again if they are retried."""

    def on_result(self, records: Sequence[Record], result: ApplyResult) -> None:
        """Called with the outcome of records. Those in ``result.failed`` are retried."""


def follow(
    sync: Sync,
    settings: RuntimeSettings,
    stop: threading.Event,
    limits: Limits | None = None,
    *,
    observer: BatchObserver | None = None,
    on_bulk: Callable[[float, int], None] | None = None,
    on_connected: Callable[[Runtime], None] | None = None,
) -> ApplyResult:
    """Keep the index in step with the table until ``stop`` is set; return the counts of what was applied.

    ``on_bulk`` is called after each bulk request, see `Writer`; ``on_connected`` once, with the runtime, before the
    first change. Raises SourceError, SearchError or StateError if something must be repaired first; all progress is
    kept.
    """
    clock = StoppableClock(stop)
    # One for all threads, so that an outage is logged once every few seconds.
    retry = Retrier(clock, _log)
    runtime = connect(sync, settings, clock, retry.log, on_bulk)
    if on_connected:
        on_connected(runtime)
    stream_arn = runtime.description.usable_stream()
    _prepare_index(runtime)
    state = runtime.state()
    state.ensure()
    checkpoints = Checkpoints(state, clock)
    warn_of_gap(state, checkpoints, clock)
    batches = _Batches(runtime, observer)
    worker = Worker(
        FollowedStream(clients.dynamodb_streams(settings), stream_arn, checkpoints),
        Lease(state, _owner(), clock, settings.worker_lease_seconds),
        Delivery(
            EventSourceMapping(batches.apply, clock, limits, batches.dead_letter),
            partial(prepare_batch, runtime.indexer),
        ),
        stop,
        retry,
        Pace(settings.worker_batch_size, settings.worker_batch_window_seconds, settings.worker_poll_seconds),
    )
    with infrequent_gc():
        worker.run()
    _log.info(f"stopped: {batches.total}", extra=_counts(batches.total))
    return batches.total


def warn_of_gap(state: StateTable, checkpoints: Checkpoints, clock: Clock) -> None:
    """Warn before a first start if the last backfill began longer ago than a stream keeps its records.

    Only a warning: a Lambda function, which writes nothing to the state table, may have followed the stream.
    """
    # A stale index has its own message, and a backfill that has begun since repairs it.
    if checkpoints.stream() or checkpoints.stale():
        return
    history = LastRuns(state)
    began_at = [str(run["started_at"]) for run in map(history.last, ("refill", "rebuild")) if run]
    if not began_at:
        return
    latest = max(began_at)
    if clock.now_us() - time_us(datetime.fromisoformat(latest)) > STREAM_RETENTION_US:
        _log.warning(
            f"the last backfill began {latest}, more than 24 hours ago: changes since then are lost unless a Lambda "
            "function has followed the stream. Check with `dynadex verify`; `dynadex refill` repairs the index",
            extra={"refill_began": latest},
        )


class _Batches:
    """Applies batches, reports each of them to the log and to an observer, and totals the results of all threads."""

    def __init__(self, runtime: Runtime, observer: BatchObserver | None) -> None:
        self.total = ApplyResult()
        self._runtime = runtime
        self._observer = observer
        self._lock = threading.Lock()
        self._reported_at = float("-inf")

    def apply(self, records: Sequence[Record]) -> Sequence[str]:
        """Apply records; return the sequence numbers of those that failed."""
        now = self._runtime.clock.monotonic()
        if self._observer:
            self._observer.on_start(records)
        result = apply_records(self._runtime.indexer, records, now + self._runtime.settings.max_batch_seconds)
        self._add(records, result)
        self._log_problems(result)
        if now - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = now
            self._log_progress()
        return list(result.failed)

    def dead_letter(self, records: Sequence[Record], reason: str) -> None:
        """Dead-letter records that are retried no longer. Raises DeadLetterError if they cannot be stored."""
        letters = []
        for record in records:
            key = record["dynamodb"].get("Keys")
            try:
                identity = document_id(self._runtime.description.schema, key or {})
            except ValueError:
                identity = ""
            letters.append(self._runtime.indexer.letter("", identity, key, reason, sequence_number(record)))
        self._runtime.dead_letters.add(letters)
        outcomes = {letter.id: "dead_lettered" for letter in letters}
        self._add(records, ApplyResult(dead_lettered=len(letters), outcomes=outcomes))

    def _add(self, records: Sequence[Record], result: ApplyResult) -> None:
        with self._lock:
            self.total.add(result)
        if self._observer:
            self._observer.on_result(records, result)

    def _log_problems(self, result: ApplyResult) -> None:
        if result.failed:
            reason = next(iter(result.failed.values()))
            _log.warning(
                f"{len(result.failed):,} changes not applied yet: {reason}",
                extra={"failed": len(result.failed), "reason": reason},
            )
        if result.dead_lettered:
            where = self._runtime.settings.dead_letters_location
            _log.warning(
                f"dead-lettered {counted(result.dead_lettered, 'key')} that cannot be indexed: see {where}",
                extra={"dead_lettered": result.dead_lettered, "dead_letters": where},
            )

    def _log_progress(self) -> None:
        lag = max(0.0, (self._runtime.clock.now_us() - self.total.newest_change_us) / 1e6)
        _log.info(f"{self.total}, lag {lag:.1f} s", extra=_counts(self.total) | {"lag_seconds": round(lag, 3)})


def _prepare_index(runtime: Runtime) -> None:
    """Create the index if it does not exist, log its name, and warn if it lacks existing items."""
    name, created = runtime.ensure_index()
    table = runtime.sync.table
    _log.info(
        f"{'created index' if created else 'index'} {name}, table {table}",
        extra={"index": name, "table": table, "index_created": created},
    )
    if is_unfilled(runtime.index, runtime.sync.index):
        _log.warning("the table holds items older than the index: `dynadex refill` loads them while this worker runs")


def _counts(result: ApplyResult) -> dict[str, float]:
    """The counts as fields of a log record."""
    return {
        "applied": result.applied,
        "superseded": result.superseded,
        "reconciled": result.reconciled,
        "dead_lettered": result.dead_lettered,
        "not_indexed": result.not_indexed,
    }


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
