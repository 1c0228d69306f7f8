"""What was done last, and how it ended: the last refill, the last verify, for `dynadex status`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dynadex.state.state_table import StateTable

_PREFIX = "last/"


class LastRuns:
    """Summaries by name (``refill``, ``verify``); each replaces the one before. Values are plain JSON."""

    def __init__(self, state: StateTable) -> None:
        self._state = state

    def note(self, what: str, summary: Mapping[str, Any]) -> None:
        """Keep a summary. Raises StateError."""
        self._state.put(_PREFIX + what, {"summary": {"S": json.dumps(summary)}})

    def last(self, what: str) -> dict[str, Any] | None:
        """The summary kept last, or None. Raises StateError."""
        item = self._state.get(_PREFIX + what)
        return None if item is None else dict(json.loads(item["summary"]["S"]))
