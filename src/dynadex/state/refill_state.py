"""Progress of a refill, kept in the state table so that another process can resume it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynadex.state.state_table import StateTable


@dataclass(frozen=True, slots=True)
class SegmentState:
    """Progress of one segment: its next slice as an event, whether it is scanned, and the counts so far by name."""

    event: Mapping[str, Any]
    done: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


class RefillState:
    """The unfinished refill (or rebuild, by ``kind``) of a sync. Every method may raise StateError."""

    def __init__(self, state: StateTable, kind: str = "refill") -> None:
        self.kind = kind
        self._state = state
        self._prefix = f"{kind}/"

    def save_plan(self, plan: Mapping[str, Any]) -> None:
        """Save the plan (JSON) of the refill that begins."""
        self._state.put(self.kind, {"plan": {"S": json.dumps(plan)}})

    def plan(self) -> dict[str, Any] | None:
        """Return the plan of the unfinished refill, or None."""
        item = self._state.get(self.kind)
        return dict(json.loads(item["plan"]["S"])) if item else None

    def save_segment(self, segment: int, state: SegmentState, started_at_us: int) -> None:
        """Save the progress of a segment, of the plan that began at this time."""
        values = {"event": state.event, "done": state.done, "counts": state.counts, "of": started_at_us}
        self._state.put(f"{self._prefix}{segment}", {"state": {"S": json.dumps(values)}})

    def segments(self, started_at_us: int) -> dict[int, SegmentState]:
        """Return the progress of each segment that was begun, of the plan that began at this time.

        The progress of another refill, which may still be running, is left out: this refill would never read what
        that one read before this one began, and would sweep it.
        """
        segments: dict[int, SegmentState] = {}
        for name, item in self._state.all(self._prefix).items():
            values = json.loads(item["state"]["S"])
            if values.pop("of", None) == started_at_us:
                segments[int(name.removeprefix(self._prefix))] = SegmentState(**values)
        return segments

    def clear(self) -> None:
        """Delete the plan and the progress: there is nothing to resume."""
        # The plan goes first: segments without a plan are ignored.
        self._state.delete(self.kind)
        for name in self._state.all(self._prefix):
            self._state.delete(name)
