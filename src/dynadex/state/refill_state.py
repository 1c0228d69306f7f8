"""How far a refill has come, kept in the state table so that another process can go on with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynadex.state.state_table import StateTable


@dataclass(frozen=True, slots=True)
class SegmentState:
    """One segment: its next slice as an event, whether it is scanned, and what was counted so far, by name."""

    event: Mapping[str, Any]
    done: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


class RefillState:
    """The unfinished refill (or ``kind`` rebuild) of a sync, if there is one. Every call raises StateError."""

    def __init__(self, state: StateTable, kind: str = "refill") -> None:
        self.kind = kind
        self._state = state
        self._prefix = f"{kind}/"

    def keep(self, plan: Mapping[str, Any]) -> None:
        """Keep the plan (JSON) of the unfinished one."""
        self._state.put(self.kind, {"plan": {"S": json.dumps(plan)}})

    def plan(self) -> dict[str, Any] | None:
        """The plan of the unfinished refill, or None."""
        item = self._state.get(self.kind)
        return dict(json.loads(item["plan"]["S"])) if item else None

    def save(self, segment: int, state: SegmentState, of: int) -> None:
        """Keep how far a segment of the plan has come that began at this time."""
        values = {"event": state.event, "done": state.done, "counts": state.counts, "of": of}
        self._state.put(f"{self._prefix}{segment}", {"state": {"S": json.dumps(values)}})

    def segments(self, of: int) -> dict[int, SegmentState]:
        """How far each segment of the plan has come that began at this time; those not begun are not there.

        What another one keeps here that is still at work says nothing of this one: what that has read before this one
        began, this one would never read, and then sweep.
        """
        found: dict[int, SegmentState] = {}
        for what, item in self._state.all(self._prefix).items():
            values = json.loads(item["state"]["S"])
            if values.pop("of", None) == of:
                found[int(what.removeprefix(self._prefix))] = SegmentState(**values)
        return found

    def forget(self) -> None:
        """There is nothing to go on with."""
        # The plan goes first: segments without one are nobody's.
        self._state.delete(self.kind)
        for what in self._state.all(self._prefix):
            self._state.delete(what)
