"""The plan of an unfinished backfill, saved in the state table so that ``--resume`` continues it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from dynadex.refill.plan import RefillPlan
from dynadex.runtime import Runtime
from dynadex.state.refill_state import RefillState

_log = logging.getLogger(__name__)


class SavedPlan:
    """Saves a plan together with the name of its source, and decides whether it can be resumed.

    Every call may raise StateError.
    """

    def __init__(self, runtime: Runtime, state: RefillState, source: str) -> None:
        self._runtime = runtime
        self._state = state
        self._source = source

    def begin(self, plan: RefillPlan, extra: Mapping[str, Any] | None = None) -> None:
        """Save the plan of a new backfill in place of an unfinished one, whose position is discarded."""
        if self._state.plan():
            _log.info("discarding the position of an unfinished backfill (--resume would have continued it)")
        self._state.clear()
        self.save(plan, extra)

    def save(self, plan: RefillPlan, extra: Mapping[str, Any] | None = None) -> None:
        """Save the plan, and keep the position of its segments. ``extra`` is saved with it, as JSON."""
        self._state.save_plan({**plan.as_event(), "Source": self._source, **(extra or {})})

    def extra(self, name: str) -> Any:
        """Return a value that was saved with the unfinished plan, None without one."""
        return (self._state.plan() or {}).get(name)

    def resume(self) -> RefillPlan | None:
        """Return the plan of the unfinished backfill. If it cannot be resumed, log the reason and return None."""
        saved = self._state.plan()
        if saved is None:
            _log.info("nothing to resume: starting from the beginning")
            return None
        if saved["Source"] != self._source:
            _log.info(f"the unfinished backfill reads {saved['Source']}: starting from the beginning")
            return None
        plan = RefillPlan.from_event(saved)
        missing = set(plan.indexes) - set(self._runtime.alias.resolve())
        if missing or not plan.indexes:
            _log.info(f"{', '.join(missing) or 'its index'} is no longer written: starting from the beginning")
            return None
        return plan
