"""Prometheus metrics of a worker: counters that its threads increment, and gauges that are read when scraped.

The names of metrics are a public interface: dashboards and alarms depend on them.
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

# In seconds: from a cluster nearby to a request that is about to time out.
_BULK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# A Prometheus server scrapes about every 15 s. Several servers must not query the backends more often than this.
_CACHE_SECONDS = 5.0


class WorkerMetrics:
    """Metrics of one worker: a `BatchObserver`, and with `on_bulk` an observer of its bulk requests."""

    def __init__(self, index: str) -> None:
        self.registry = CollectorRegistry()
        self._index = index
        self._changes = Counter(
            "dynadex_changes", "Processed changes, by outcome.", ["index", "outcome"], registry=self.registry
        )
        self._failed = Counter(
            "dynadex_failed_records", "Records that could not be applied, and are retried.", ["index"],
            registry=self.registry,
        ).labels(index)  # fmt: skip
        self._bulk = Histogram(
            "dynadex_bulk_seconds", "Duration of bulk requests.", ["index"], buckets=_BULK_BUCKETS,
            registry=self.registry,
        ).labels(index)  # fmt: skip
        self._retries = Counter(
            "dynadex_bulk_retries", "Writes that the cluster rejected temporarily.", ["index"], registry=self.registry
        ).labels(index)
        self._by_outcome = {
            outcome: self._changes.labels(index, outcome)
            for outcome in ("applied", "superseded", "reconciled", "dead_lettered", "not_indexed")
        }

    def on_start(self, records: Sequence[Record]) -> None:
        """Do nothing: records are counted when they are processed."""

    def on_result(self, records: Sequence[Record], result: ApplyResult) -> None:  # noqa: ARG002 - counts are in result
        """Count the outcomes of a batch."""
        counts = {
            "applied": result.applied,
            "superseded": result.superseded,
            "reconciled": result.reconciled,
            "dead_lettered": result.dead_lettered,
            "not_indexed": result.not_indexed,
        }
        for outcome, count in counts.items():
            self._by_outcome[outcome].inc(count)
        self._failed.inc(len(result.failed))

    def on_bulk(self, seconds: float, not_accepted: int) -> None:
        """Count one bulk request: its duration, and its writes that the cluster rejected temporarily."""
        self._bulk.observe(seconds)
        self._retries.inc(not_accepted)

    def add_gauges(self, lag: StateLag, dead_letters: DeadLetters, clock: Clock) -> None:
        """Export lag, staleness and dead letters too, from now on. They are read when the metrics are scraped."""
        self.registry.register(_Gauges(self._index, lag, dead_letters, clock))


class _Gauges(Collector):
    """Gauges read from the state table and the dead letters. A value that cannot be read is left out of the reply, so
    that an alarm can detect its absence."""

    def __init__(self, index: str, lag: StateLag, dead_letters: DeadLetters, clock: Clock) -> None:
        self._index = index
        self._state_lag = lag
        self._dead_letters = dead_letters
        self._clock = clock
        self._cached: list[GaugeMetricFamily] = []
        self._cached_until = -math.inf

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing, so that the registration queries no backend."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        if self._clock.monotonic() >= self._cached_until:
            self._cached = list(self._read())
            self._cached_until = self._clock.monotonic() + _CACHE_SECONDS
        yield from self._cached

    def _read(self) -> Iterator[GaugeMetricFamily]:
        info = GaugeMetricFamily("dynadex_worker_info", "Always 1.", labels=["index", "version"])
        info.add_metric([self._index, __version__], 1)
        yield info
        gauges = (
            ("dynadex_lag_seconds", "Every change older than this is applied or dead-lettered.", self._lag_seconds),
            ("dynadex_stale", "1 while the index is declared stale.", self._stale),
            ("dynadex_dead_letters", "Keys that are dead-lettered.", self._dead_lettered),
        )
        for name, description, read_value in gauges:
            gauge = GaugeMetricFamily(name, description, labels=["index"])
            try:
                value = read_value()
            except DynadexError:
                # Reported by the absence of the metric, and by the readiness of the worker, which returns the reason.
                continue
            if value is not None and math.isfinite(value):
                gauge.add_metric([self._index], value)
                yield gauge

    def _lag_seconds(self) -> float | None:
        return self._state_lag.lag_seconds()

    def _stale(self) -> float:
        return float(self._state_lag.stale() is not None)

    def _dead_lettered(self) -> float:
        return float(self._dead_letters.backlog().count)
