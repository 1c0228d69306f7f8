"""Lease that lets one worker run while the others are standbys.

The holder increments a heartbeat counter. A standby takes over once it has seen the same count for the whole term on
its own clock: clocks of different machines are never compared. Two workers at the same time, after a long
pause of one, only duplicate work, because the convergence rule makes duplicate processing harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynadex.clock import Clock, iso
from dynadex.state.state_table import StateTable

_LEASE = "lease"


@dataclass(frozen=True, slots=True)
class Holder:
    """Holder of a lease, and when it last renewed it by its own clock (None: saved by an older version)."""

    owner: str
    renewed_at: datetime | None


def holder_of_lease(state: StateTable) -> Holder | None:
    """Return the holder of the lease, alive or not, or None; for display. Raises StateError."""
    item = state.get(_LEASE)
    if item is None or not item["holder"]["S"]:
        return None
    # For display only: whether the holder is alive follows from its heartbeats, never from comparing clocks.
    renewed_at = item.get("renewed_at", {}).get("S")
    return Holder(item["holder"]["S"], datetime.fromisoformat(renewed_at) if renewed_at else None)


class Lease:
    """Exclusive permission to run the worker of one sync.

    A standby takes over after ``term_seconds`` without a heartbeat.
    """

    def __init__(self, state: StateTable, owner: str, clock: Clock, term_seconds: float) -> None:
        self.owner = owner
        self.term_seconds = term_seconds
        self._state = state
        self._clock = clock
        self._beat = 0
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0

    def acquire(self) -> bool:
        """Try to become the holder. Returns False while another holder is alive."""
        seen, self._seen = self._seen, None
        # If this raises, the term starts again: an outage of the state table is not a missed heartbeat of the holder.
        item = self._state.get(_LEASE)
        if item is None:
            return self._take("attribute_not_exists(beat)", {})
        holder, beat = item["holder"]["S"], item["beat"]["N"]
        now = self._clock.monotonic()
        if seen != (holder, beat):
            self._seen_at = now
        self._seen = (holder, beat)
        silent = now - self._seen_at >= self.term_seconds
        if holder not in ("", self.owner) and not silent:
            return False
        self._beat = int(beat)
        return self._take("beat = :beat AND holder = :holder", {":beat": {"N": beat}, ":holder": {"S": holder}})

    def renew(self) -> bool:
        """Send a heartbeat. Returns False when another worker has taken over."""
        return self._take(
            "beat = :beat AND holder = :holder", {":beat": {"N": str(self._beat)}, ":holder": {"S": self.owner}}
        )

    def release(self) -> None:
        """Release the lease, so that a standby takes over immediately."""
        self._state.put(
            _LEASE,
            {"holder": {"S": ""}, "beat": {"N": str(self._beat + 1)}},
            "holder = :holder",
            {":holder": {"S": self.owner}},
        )

    def holder(self) -> str:
        """Return the owner that holds the lease, "" when there is none."""
        item = self._state.get(_LEASE)
        return item["holder"]["S"] if item else ""

    def _take(self, condition: str, parameters: dict[str, dict[str, str]]) -> bool:
        now = iso(self._clock.now_us())
        values = {"holder": {"S": self.owner}, "beat": {"N": str(self._beat + 1)}, "renewed_at": {"S": now}}
        taken = self._state.put(_LEASE, values, condition, parameters) or self._holds(values)
        if taken:
            self._beat += 1
        return taken

    def _holds(self, values: dict[str, dict[str, str]]) -> bool:
        """Return whether a rejected write is stored already.

        When the reply to a write is lost, the SDK or the caller sends it again, and its own first arrival rejects it.
        """
        item = self._state.get(_LEASE) or {}
        # Not the time, which differs at each attempt. The name of an owner is never used twice.
        return all(item.get(name) == values[name] for name in ("holder", "beat"))
