"""What the worker of this process does, as it does it: kept for the live view, and for no longer than a minute."""

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
    """One change that is done with. Times are in microseconds since the epoch; ``written_us`` as the stream tells it,
    rounded down; ``outcome``: applied, stale, reconciled or dead-lettered."""

    id: str
    kind: str
    written_us: int
    applied_us: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Flow:
    """The last minute, a value a second, the present second last. ``lag`` is the age of the oldest change that was not
    applied at the end of a second, in seconds; up to one too much, since the stream rounds times down."""

    total: int
    per_second: tuple[int, ...]
    lag: tuple[float, ...]
    changes: tuple[AppliedChange, ...]

    @property
    def lag_seconds(self) -> float:
        """The lag as of now; what was applied in the last second counts."""
        return max(self.lag[-2:])

    def as_json(self) -> dict[str, Any]:
        """As the live view is told."""
        return {
            "lag_seconds": round(self.lag_seconds, 2),
            "applied_total": self.total,
            "per_second": list(self.per_second),
            "lag_series": [round(one, 2) for one in self.lag],
            "changes": [asdict(one) for one in self.changes],
        }


class LiveFeed:
    """Told by the worker's threads of the records they take and finish; asked by the page."""

    def __init__(self, schema: KeySchema, clock: Clock) -> None:
        self._schema = schema
        self._clock = clock
        self._lock = threading.Lock()
        self._total = 0
        self._changes = deque[AppliedChange](maxlen=_CHANGES_KEPT)
        # By whole second since the epoch.
        self._applied: dict[int, int] = {}
        self._lag: dict[int, float] = {}
        self._open: dict[str, int] = {}

    def on_start(self, records: Sequence[Record]) -> None:
        """These records are being applied, perhaps not for the first time."""
        changes = _changes(records)
        with self._lock:
            self._open |= {one.sequence_number: one.time_us for one in changes}

    def on_result(self, records: Sequence[Record], result: ApplyResult) -> None:
        """What became of these records: all but those in ``result.failed`` are finished."""
        now_us = self._clock.now_us()
        finished = [one for one in _changes(records) if one.sequence_number not in result.failed]
        with self._lock:
            for change in finished:
                self._open.pop(change.sequence_number, None)
                self._changes.append(self._seen(change, result.outcomes, now_us))
            second = now_us // MICROSECONDS
            self._total += len(finished)
            self._applied[second] = self._applied.get(second, 0) + len(finished)
            if finished:
                _note_age(self._lag, min(one.time_us for one in finished), now_us)
            self._forget(second)

    def flow(self) -> Flow:
        """The last minute, as of now."""
        now_us = self._clock.now_us()
        last = now_us // MICROSECONDS
        seconds = range(last - SECONDS_KEPT + 1, last + 1)
        with self._lock:
            lag = dict(self._lag)
            if self._open:
                _note_age(lag, min(self._open.values()), now_us)
            return Flow(
                self._total,
                tuple(self._applied.get(second, 0) for second in seconds),
                tuple(lag.get(second, 0.0) for second in seconds),
                tuple(reversed(self._changes)),
            )

    def _seen(self, change: Change, outcomes: Mapping[str, str], now_us: int) -> AppliedChange:
        try:
            identity = document_id(self._schema, change.key)
        except ValueError:
            identity = ""
        kind = "delete" if change.image is None and change.image_known else "put"
        return AppliedChange(identity, kind, change.time_us, now_us, outcomes.get(identity, "applied"))

    def _forget(self, second: int) -> None:
        for kept in (self._applied, self._lag):
            for old in [one for one in kept if one <= second - SECONDS_KEPT]:
                del kept[old]


def _note_age(lag: dict[int, float], written_us: int, until_us: int) -> None:
    """A change written then was not applied until now: so old was it at the end of each second between."""
    last = until_us // MICROSECONDS
    for second in range(max(written_us // MICROSECONDS, last - SECONDS_KEPT + 1), last + 1):
        at_us = min(until_us, (second + 1) * MICROSECONDS)
        lag[second] = max(lag.get(second, 0.0), (at_us - written_us) / MICROSECONDS)


def _changes(records: Sequence[Record]) -> list[Change]:
    return [change for change in map(parse, records) if isinstance(change, Change)]
