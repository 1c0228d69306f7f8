"""How far the index is behind its table, as the worker notes it in the state table. Changes nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynadex.clock import Clock
from dynadex.document.versioning import MICROSECONDS
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.state_table import StateTable


@dataclass(slots=True)
class StateLag:
    """What the state table says. Every call raises StateError.

    ``has_worker``: a worker keeps account, or should; without one the lag may well be unknown for good.
    """

    state: StateTable
    clock: Clock
    has_worker: bool = False
    _exists: bool = False

    def lag_seconds(self) -> float | None:
        """Every change older than this is applied or dead-lettered. Infinite: the worker has not said yet."""
        checkpoints = self._checkpoints()
        passed_us = checkpoints.passed_us() if checkpoints else None
        if passed_us is None:
            return math.inf if self.has_worker else None
        return max(0, self.clock.now_us() - passed_us) / MICROSECONDS

    def stale(self) -> str | None:
        """Why the index is declared stale, or None. A refill that is under way has not mended it yet."""
        checkpoints = self._checkpoints()
        return checkpoints.stale() if checkpoints else None

    def _checkpoints(self) -> Checkpoints | None:
        # What was never kept leaves no table, and asking for it must not make one.
        self._exists = self._exists or self.state.exists()
        return Checkpoints(self.state, self.clock) if self._exists else None
