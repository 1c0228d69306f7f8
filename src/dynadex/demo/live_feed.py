"""The changes that the worker of this process applied in the last minute, for the live view."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dynadex.change import Change
from dynadex.clock import Clock
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.versioning import MICROSECONDS
from dynadex.index.results import ApplyResult
from dynadex.source.stream_event import Record, parse

SECONDS_KEPT = 60
_CHANGES_KEPT = 50


@dataclass(frozen=True, slots=True)
class AppliedChange:
    """A completed change. Times are in microseconds since the epoch; the stream rounds ``written_us`` down.

    ``outcome`` is applied, superseded, reconciled or dead_lettered.
    """

    id: str
    kind: str
    written_us: int
    applied_us: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Flow:
    """The changes of the last minute, with one value per second; the current second is the last one.

    ``lag`` is the age in seconds of the oldest change that was not applied at the end of each second. It is up to one
    second too large, because the stream rounds times down.
    """

    total: int
    per_second: tuple[int, ...]
    lag: tuple[float, ...]
    changes: tuple[AppliedChange, ...]

    @property
    def lag_seconds(self) -> float:
        """The current lag, in seconds. It includes changes that were applied in the last second."""
        return max(self.lag[-2:])

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "lag_seconds": round(self.lag_seconds, 2),
            "applied_total": self.total,
            "per_second": list(self.per_second),
            "lag_series": [round(seconds, 2) for seconds in self.lag],
            "changes": [asdict(change) for change in self.changes],
        }


class LiveFeed:
    """Collects the records that the threads of the worker start and complete, and returns them for the page."""

    def __init__(self, schema: KeySchema, clock: Clock) -> None:
        self._schema = schema
        self._clock = clock
        self._lock = threading.Lock()
        self._total = 0
        self._changes = deque[AppliedChange](maxlen=_CHANGES_KEPT)
        # By whole second since the epoch.
        self._applied: dict[int, int] = {}
        self._lag: dict[int, float] = {}
        self._in_flight: dict[str, int] = {}

    def on_start(self, records: Sequence[Record]) -> None:
        """Note that the worker starts to apply these records, possibly again."""
        changes = _changes(records)
        with self._lock:
            self._in_flight |= {change.sequence_number: change.time_us for change in changes}

    def on_result(self, records: Sequence[Record], result: ApplyResult) -> None:
        """Note that the worker has completed these records, except those in ``result.failed``."""
        now_us = self._clock.now_us()
        completed = [change for change in _changes(records) if change.sequence_number not in result.failed]
        with self._lock:
            for change in completed:
                self._in_flight.pop(change.sequence_number, None)
                self._changes.append(self._applied_change(change, result.outcomes, now_us))
            second = now_us // MICROSECONDS
            self._total += len(completed)
            self._applied[second] = self._applied.get(second, 0) + len(completed)
            if completed:
                _note_age(self._lag, min(change.time_us for change in completed), now_us)
            self._drop_before(second - SECONDS_KEPT + 1)

    def flow(self) -> Flow:
        """Return the changes of the last minute."""
        now_us = self._clock.now_us()
        last = now_us // MICROSECONDS
        seconds = range(last - SECONDS_KEPT + 1, last + 1)
        with self._lock:
            lag = dict(self._lag)
            if self._in_flight:
                _note_age(lag, min(self._in_flight.values()), now_us)
            return Flow(
                self._total,
                tuple(self._applied.get(second, 0) for second in seconds),
                tuple(lag.get(second, 0.0) for second in seconds),
                tuple(reversed(self._changes)),
            )

    def _applied_change(self, change: Change, outcomes: Mapping[str, str], now_us: int) -> AppliedChange:
        try:
            identity = document_id(self._schema, change.key)
        except ValueError:
            identity = ""
        kind = "delete" if change.image is None and change.image_known else "put"
        return AppliedChange(identity, kind, change.time_us, now_us, outcomes.get(identity, "applied"))

    def _drop_before(self, first: int) -> None:
        for by_second in (self._applied, self._lag):
            for old in [second for second in by_second if second < first]:
                del by_second[old]


def _note_age(lag: dict[int, float], written_us: int, until_us: int) -> None:
    """Raise the lag of each second in which a change was written but not applied to the age of that change."""
    last = until_us // MICROSECONDS
    for second in range(max(written_us // MICROSECONDS, last - SECONDS_KEPT + 1), last + 1):
        at_us = min(until_us, (second + 1) * MICROSECONDS)
        lag[second] = max(lag.get(second, 0.0), (at_us - written_us) / MICROSECONDS)


def _changes(records: Sequence[Record]) -> list[Change]:
    return [change for change in map(parse, records) if isinstance(change, Change)]
