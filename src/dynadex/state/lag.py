"""Lag of the index behind its table, read from what the worker saves in the state table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dynadex.clock import Clock
from dynadex.document.versioning import MICROSECONDS
from dynadex.state.checkpoints import Checkpoints
from dynadex.state.state_table import StateTable


@dataclass(slots=True)
class StateLag:
    """Lag and staleness, read from the state table. Every method may raise StateError.

    ``has_worker``: whether a worker is expected to save checkpoints. Without one the lag may stay unknown.
    """

    state: StateTable
    clock: Clock
    has_worker: bool = False
    _exists: bool = False

    def lag_seconds(self) -> float | None:
        """Return the lag: every older change is applied or dead-lettered.

        Infinite while the expected worker has not saved it yet; None when it is unknown.
        """
        checkpoints = self._checkpoints()
        passed_us = checkpoints.passed_us() if checkpoints else None
        if passed_us is None:
            return math.inf if self.has_worker else None
        return max(0, self.clock.now_us() - passed_us) / MICROSECONDS

    def stale(self) -> str | None:
        """Return why the index is stale, or None. It is stale until the refill that recovers it is complete."""
        checkpoints = self._checkpoints()
        return checkpoints.stale() if checkpoints else None

    def _checkpoints(self) -> Checkpoints | None:
        # Without any saved state there is no table, and reading must not create one.
        self._exists = self._exists or self.state.exists()
        return Checkpoints(self.state, self.clock) if self._exists else None
