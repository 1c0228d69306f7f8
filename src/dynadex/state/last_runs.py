"""Summaries of the last runs of refill, rebuild and verify, for `dynadex status`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dynadex.state.state_table import StateTable

_PREFIX = "last/"


class LastRuns:
    """Summaries by command (``refill``, ``verify``) in plain JSON; each replaces the one before."""

    def __init__(self, state: StateTable) -> None:
        self._state = state

    def note(self, command: str, summary: Mapping[str, Any]) -> None:
        """Save a summary. Raises StateError."""
        self._state.put(_PREFIX + command, {"summary": {"S": json.dumps(summary)}})

    def last(self, command: str) -> dict[str, Any] | None:
        """Return the summary saved last, or None. Raises StateError."""
        item = self._state.get(_PREFIX + command)
        return None if item is None else dict(json.loads(item["summary"]["S"]))
