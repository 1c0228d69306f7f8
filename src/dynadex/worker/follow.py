"""Everything `dynadex run` does: follow one sync's stream in this process until told to stop."""

from __future__ import annotations

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
from dynadex.worker.shard_follower import Pace
from dynadex.worker.worker import Worker

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
    say: Callable[[str], None],
    limits: Limits | None = None,
    watch: Watch | None = None,
    on_bulk: Callable[[float, int], None] | None = None,
    on_connected: Callable[[Runtime], None] | None = None,
) -> ApplyResult:
    """Keep the index in step with the table until ``stop`` is set; returns what was done.

    ``say`` is told, in words, what a person at a terminal wants to know; ``on_bulk`` of bulk requests, see `Writer`;
    ``on_connected`` of what is worked with, before the first change. Raises SourceError, SearchError or
    StateError when something must be mended first; all progress is kept.
    """
    clock = StoppableClock(stop)
    totals = Totals()
    patience = Retrier(say, clock)
    runtime = connect(sync, settings, clock, patience.tell, on_bulk)
    if on_connected:
        on_connected(runtime)
    stream_arn = runtime.description.usable_stream()
    name, created = runtime.ensure_index()
    say(f"{'created index' if created else 'index'} {name}, table {sync.table}")
    if is_unfilled(runtime.index, sync.index):
        say("the table holds items older than the index: `dynadex refill` loads them while this worker runs")
    state = runtime.state()
    state.ensure()
    checkpoints = Checkpoints(state, clock)
    tell_of_gap(state, checkpoints, clock, say)
    worker = Worker(
        clients.dynamodb_streams(settings),
        stream_arn,
        checkpoints,
        Lease(state, _owner(), clock, settings.worker_lease_seconds),
        EventSourceMapping(
            _handler(runtime, totals, say, watch),
            clock,
            limits,
            _on_failure(runtime, totals, watch),
            lambda line: say(f"retrying: {line}"),
        ),
        partial(prepare_batch, runtime.indexer),
        stop,
        clock,
        Pace(settings.worker_batch_size, settings.worker_batch_window_seconds, settings.worker_poll_seconds),
        say,
        patience,
    )
    with infrequent_gc():
        worker.run()
    say(f"stopped: {totals}")
    return totals.tally


def tell_of_gap(state: StateTable, checkpoints: Checkpoints, clock: Clock, say: Callable[[str], None]) -> None:
    """Before a first start: what a refill read that began longer ago than a stream keeps may have changed unseen.

    Only told: a Lambda function that follows the stream notes nothing in the state table.
    """
    # What is stale is told by itself, and mended by a refill that has begun since.
    if checkpoints.stream() or checkpoints.stale():
        return
    history = LastRuns(state)
    loaded = [str(one["started_at"]) for one in map(history.last, ("refill", "rebuild")) if one]
    if not loaded:
        return
    began = max(loaded)
    if clock.now_us() - time_us(datetime.fromisoformat(began)) > STREAM_RETENTION_US:
        say(
            f"! the last refill began {began}, more than 24 hours ago: what changed in between is lost, unless "
            "something else has followed the stream; `dynadex verify` tells, and `dynadex refill` mends it"
        )


def _handler(
    runtime: Runtime, totals: Totals, say: Callable[[str], None], watch: Watch | None
) -> Callable[[Sequence[Record]], Sequence[str]]:
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
            say(f"{len(tally.failed):,} changes not applied yet: {next(iter(tally.failed.values()))}")
        if tally.dead_lettered:
            say(
                f"dead-lettered {tally.dead_lettered} keys that cannot be indexed: "
                f"see {runtime.settings.dead_letters_location}"
            )
        if now - last_report >= _REPORT_SECONDS:
            last_report = now
            lag = max(0.0, (runtime.clock.now_us() - totals.tally.newest_change_us) / 1e6)
            say(f"{totals}, lag {lag:.1f} s")
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


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
