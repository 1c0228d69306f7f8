"""A lease, so that one worker runs and others stand by.

The holder counts up a beat. Whoever waits takes over once it saw the same beat for the whole term on its own
clock: no two machines' clocks are ever compared. Two workers at once, after a long pause of one, cost double work
and nothing else: the convergence rule makes both harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dynadex.clock import Clock, iso
from dynadex.state.state_table import StateTable

_LEASE = "lease"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, and when it last said so by its own clock (None: an older version kept no time)."""

    owner: str
    renewed_at: datetime | None


def look(state: StateTable) -> Holder | None:
    """The holder of the lease, alive or not, or None; for people to see. Raises StateError."""
    item = state.get(_LEASE)
    if item is None or not item["holder"]["S"]:
        return None
    # For people only: what a lease is worth is told by its beat, never by comparing clocks.
    renewed_at = item.get("renewed_at", {}).get("S")
    return Holder(item["holder"]["S"], datetime.fromisoformat(renewed_at) if renewed_at else None)


class Lease:
    """The right to run the worker of one sync. ``term_seconds``: silence after which it passes on."""

    def __init__(self, state: StateTable, owner: str, clock: Clock, term_seconds: float) -> None:
        self.owner = owner
        self.term_seconds = term_seconds
        self._state = state
        self._clock = clock
        self._beat = 0
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0

    def acquire(self) -> bool:
        """Try to become the holder; False while another one is alive."""
        seen, self._seen = self._seen, None
        # If this raises, the watch starts anew: the state table's own outage must not count as the holder's silence.
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
        """Beat once; False when another worker took over."""
        return self._take(
            "beat = :beat AND holder = :holder", {":beat": {"N": str(self._beat)}, ":holder": {"S": self.owner}}
        )

    def release(self) -> None:
        """Let the next worker start at once."""
        self._state.put(
            _LEASE,
            {"holder": {"S": ""}, "beat": {"N": str(self._beat + 1)}},
            "holder = :holder",
            {":holder": {"S": self.owner}},
        )

    def holder(self) -> str:
        """Who holds it now; empty when nobody does."""
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
        """Whether a write that was refused is there already: when its answer is lost, the SDK sends it again, or who
        was told of the failure asks again, and what refuses it then is its own first arrival."""
        item = self._state.get(_LEASE) or {}
        # Not the time: it is another one whenever it is asked. An owner's name is never used twice.
        return all(item.get(name) == values[name] for name in ("holder", "beat"))
