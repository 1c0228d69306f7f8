"""Everything `dynadex run` does: follow one sync's stream in this process until told to stop."""

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
from dynadex.worker.event_source_mapping import EventSourceMapping, Limits
from dynadex.worker.shard_follower import Delivery, FollowedStream, Pace
from dynadex.worker.worker import Worker

_log = logging.getLogger(__name__)

_REPORT_SECONDS = 5.0


class Totals:
    """What a worker has done since it started; its threads add to it."""

    def __init__(self) -> None:
        self.tally = ApplyResult()
        self._lock = threading.Lock()

    def add(self, tally: ApplyResult) -> None:
        """Add one batch."""
        with self._lock:
            self.tally.add(tally)

    def __str__(self) -> str:
        return str(self.tally)


class Watch(Protocol):
    """Somebody who looks on. Called by the worker's threads."""

    def taken(self, records: Sequence[Record]) -> None:
        """These records are being applied, perhaps not for the first time."""

    def done(self, records: Sequence[Record], tally: ApplyResult) -> None:
        """What became of them; those in ``tally.failed`` will be taken again."""


def follow(
    sync: Sync,
    settings: RuntimeSettings,
    stop: threading.Event,
    limits: Limits | None = None,
    watch: Watch | None = None,
    on_bulk: Callable[[float, int], None] | None = None,
    on_connected: Callable[[Runtime], None] | None = None,
) -> ApplyResult:
    """Keep the index in step with the table until ``stop`` is set; return what was done.

    ``on_bulk`` is called with each bulk request, see `Writer`; ``on_connected`` with the runtime, before the first
    change. Raises SourceError, SearchError or
    StateError when something must be repaired first; all progress is kept.
    """
    clock = StoppableClock(stop)
    totals = Totals()
    runtime = connect(sync, settings, clock, Retrier(clock, _log).log, on_bulk)
    if on_connected:
        on_connected(runtime)
    stream_arn = runtime.description.usable_stream()
    name, created = runtime.ensure_index()
    _log.info(
        f"{'created index' if created else 'index'} {name}, table {sync.table}",
        extra={"index": name, "table": sync.table, "index_created": created},
    )
    if is_unfilled(runtime.index, sync.index):
        _log.warning("the table holds items older than the index: `dynadex refill` loads them while this worker runs")
    state = runtime.state()
    state.ensure()
    checkpoints = Checkpoints(state, clock)
    warn_of_gap(state, checkpoints, clock)
    worker = Worker(
        FollowedStream(clients.dynamodb_streams(settings), stream_arn, checkpoints),
        Lease(state, _owner(), clock, settings.worker_lease_seconds),
        Delivery(
            EventSourceMapping(_handler(runtime, totals, watch), clock, limits, _on_failure(runtime, totals, watch)),
            partial(prepare_batch, runtime.indexer),
        ),
        stop,
        clock,
        Pace(settings.worker_batch_size, settings.worker_batch_window_seconds, settings.worker_poll_seconds),
    )
    with infrequent_gc():
        worker.run()
    _log.info(f"stopped: {totals}", extra=_counts(totals.tally))
    return totals.tally


def warn_of_gap(state: StateTable, checkpoints: Checkpoints, clock: Clock) -> None:
    """Warn before a first start if the last refill began longer ago than a stream keeps its records.

    Only a warning: a Lambda function may have followed the stream, which writes nothing to the state table.
    """
    # A stale index has its own message, and a refill that has begun since repairs it.
    if checkpoints.stream() or checkpoints.stale():
        return
    history = LastRuns(state)
    loaded = [str(one["started_at"]) for one in map(history.last, ("refill", "rebuild")) if one]
    if not loaded:
        return
    began = max(loaded)
    if clock.now_us() - time_us(datetime.fromisoformat(began)) > STREAM_RETENTION_US:
        _log.warning(
            f"the last refill began {began}, more than 24 hours ago: changes since then are lost unless a Lambda "
            "function has followed the stream. Check with `dynadex verify`; `dynadex refill` repairs the index",
            extra={"refill_began": began},
        )


def _handler(runtime: Runtime, totals: Totals, watch: Watch | None) -> Callable[[Sequence[Record]], Sequence[str]]:
    last_report = float("-inf")

    def handle(records: Sequence[Record]) -> Sequence[str]:
        nonlocal last_report
        now = runtime.clock.monotonic()
        if watch:
            watch.taken(records)
        tally = apply_records(runtime.indexer, records, now + runtime.settings.max_batch_seconds)
        totals.add(tally)
        if watch:
            watch.done(records, tally)
        if tally.failed:
            reason = next(iter(tally.failed.values()))
            _log.warning(
                f"{len(tally.failed):,} changes not applied yet: {reason}",
                extra={"failed": len(tally.failed), "reason": reason},
            )
        if tally.dead_lettered:
            where = runtime.settings.dead_letters_location
            _log.warning(
                f"dead-lettered {tally.dead_lettered} keys that cannot be indexed: see {where}",
                extra={"dead_lettered": tally.dead_lettered, "dead_letters": where},
            )
        if now - last_report >= _REPORT_SECONDS:
            last_report = now
            lag = max(0.0, (runtime.clock.now_us() - totals.tally.newest_change_us) / 1e6)
            _log.info(f"{totals}, lag {lag:.1f} s", extra=_counts(totals.tally) | {"lag_seconds": round(lag, 3)})
        return list(tally.failed)

    return handle


def _on_failure(runtime: Runtime, totals: Totals, watch: Watch | None) -> Callable[[Sequence[Record], str], None]:
    """Records given up on become dead letters like any other; where they cannot be kept, they are not given up."""

    def add(records: Sequence[Record], reason: str) -> None:
        letters = []
        for record in records:
            key = record["dynamodb"].get("Keys")
            try:
                identity = document_id(runtime.description.schema, key or {})
            except ValueError:
                identity = ""
            letters.append(runtime.indexer.letter("", identity, key, reason, sequence_number(record)))
        runtime.dead_letters.add(letters)
        tally = ApplyResult(dead_lettered=len(letters), outcomes={letter.id: "dead_lettered" for letter in letters})
        totals.add(tally)
        if watch:
            watch.done(records, tally)

    return add


def _counts(tally: ApplyResult) -> dict[str, float]:
    """The counts as fields of a log record."""
    return {
        "applied": tally.applied,
        "superseded": tally.superseded,
        "reconciled": tally.reconciled,
        "dead_lettered": tally.dead_lettered,
        "not_indexed": tally.not_indexed,
    }


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
