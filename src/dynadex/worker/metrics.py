"""What a worker tells Prometheus: counts as they happen, and what is looked up when it is asked.

Names stay as they are: dashboards and alarms are built on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dynadex import __version__
from dynadex.clock import Clock
from dynadex.dead_letters.port import DeadLetters
from dynadex.errors import DynadexError
from dynadex.index.results import ApplyResult
from dynadex.source.stream_event import Record
from dynadex.state.lag import StateLag

# From a cluster nearby to one that is about to run into its time-out, in seconds.
_BULK_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Prometheus asks every 15 s or so; several of them must not ask the backends more often than this.
_KEPT_SECONDS = 5.0


class WorkerMetrics:
    """Watches a worker (`follow`), and its bulk requests (``on_bulk``)."""

    def __init__(self, index: str) -> None:
        self.registry = CollectorRegistry()
        self._changes = Counter(
            "dynadex_changes", "Changes that are done with, by what became of them.", ["index", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._failed = Counter(
            "dynadex_failed_records", "Records that could not be applied when tried, and are tried again.", ["index"],
            registry=self.registry,
        ).labels(index)  # fmt: skip
        self._bulk = Histogram(
            "dynadex_bulk_seconds", "Duration of bulk requests.", ["index"], buckets=_BULK_SECONDS,
            registry=self.registry,
        ).labels(index)  # fmt: skip
        self._retries = Counter(
            "dynadex_bulk_retries", "Writes that the cluster could not take when they were sent.", ["index"],
            registry=self.registry,
        ).labels(index)  # fmt: skip
        self._by_outcome = {
            outcome: self._changes.labels(index, outcome)
            for outcome in ("applied", "superseded", "reconciled", "dead_lettered", "not_indexed")
        }

    def taken(self, records: Sequence[Record]) -> None:
        """Counted only once they are done."""

    def done(self, records: Sequence[Record], tally: ApplyResult) -> None:  # noqa: ARG002 - the counts are in the tally
        """What became of these records."""
        counts = {
            "applied": tally.applied,
            "superseded": tally.superseded,
            "reconciled": tally.reconciled,
            "dead_lettered": tally.dead_lettered,
            "not_indexed": tally.not_indexed,
        }
        for outcome, count in counts.items():
            self._by_outcome[outcome].inc(count)
        self._failed.inc(len(tally.failed))

    def on_bulk(self, seconds: float, not_taken: int) -> None:
        """One bulk request."""
        self._bulk.observe(seconds)
        self._retries.inc(not_taken)

    def look_up(self, index: str, freshness: StateLag, dead_letters: DeadLetters, clock: Clock) -> None:
        """From now on tell these too, each time somebody asks."""
        self.registry.register(_LookedUp(index, freshness, dead_letters, clock))


class _LookedUp(Collector):
    """Asked of the state table and the dead letters; what cannot be told is left out, which alarms can see."""

    def __init__(self, index: str, freshness: StateLag, dead_letters: DeadLetters, clock: Clock) -> None:
        self._index = index
        self._freshness = freshness
        self._dead_letters = dead_letters
        self._clock = clock
        self._kept: list[GaugeMetricFamily] = []
        self._kept_until = -math.inf

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing, so that a registration asks no backend."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if self._clock.monotonic() >= self._kept_until:
            self._kept = list(self._look())
            self._kept_until = self._clock.monotonic() + _KEPT_SECONDS
        yield from self._kept

    def _look(self) -> Iterator[GaugeMetricFamily]:
        info = GaugeMetricFamily("dynadex_worker_info", "Always 1.", labels=["index", "version"])
        info.add_metric([self._index, __version__], 1)
        yield info
        gauges = (
            ("dynadex_lag_seconds", "Every change older than this is applied or dead-lettered.", self._lag),
            ("dynadex_stale", "1 while the index is declared stale.", self._stale),
            ("dynadex_dead_letters", "Keys that are dead-lettered.", self._dead_lettered),
        )
        for name, meaning, look in gauges:
            gauge = GaugeMetricFamily(name, meaning, labels=["index"])
            try:
                value = look()
            except DynadexError:
                # Told by its absence, and by the readiness of the worker, which says why.
                continue
            if value is not None and math.isfinite(value):
                gauge.add_metric([self._index], value)
                yield gauge

    def _lag(self) -> float | None:
        return self._freshness.lag_seconds()

    def _stale(self) -> float:
        return float(self._freshness.stale() is not None)

    def _dead_lettered(self) -> float:
        return float(self._dead_letters.backlog().count)
