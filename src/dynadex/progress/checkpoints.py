"""Where each shard of a stream is acknowledged up to, kept in the state table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from dynadex.clock import Clock
from dynadex.progress.state_table import StateTable

_PREFIX = "checkpoint/"
_STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Progress in one shard: the last acknowledged sequence number (None before the first), and whether the shard
    is read to its end."""

    position: str | None
    finished: bool = False


class Checkpoints:
    """The checkpoints of one sync."""

    def __init__(self, state: StateTable, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def load(self) -> dict[str, Checkpoint]:
        """Every shard's checkpoint, by shard id."""
        found = self._state.all(_PREFIX)
        return {
            what.removeprefix(_PREFIX): Checkpoint(item.get("position", {}).get("S"), item["finished"]["BOOL"])
            for what, item in found.items()
        }

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Keep a shard's progress. Raises StateError."""
        now = datetime.fromtimestamp(self._clock.now_us() / 1e6, UTC).isoformat(timespec="milliseconds")
        values = {"finished": {"BOOL": checkpoint.finished}, "saved_at": {"S": now}}
        if checkpoint.position is not None:
            values["position"] = {"S": checkpoint.position}
        self._state.put(_PREFIX + shard_id, values)

    def forget(self, shard_id: str) -> None:
        """Drop the checkpoint of a shard that the stream no longer has."""
        self._state.delete(_PREFIX + shard_id)

    def stream(self) -> str | None:
        """ARN of the stream that the checkpoints belong to, None before the first start."""
        item = self._state.get(_STREAM)
        return item["arn"]["S"] if item else None

    def follow(self, stream_arn: str) -> None:
        """The checkpoints from here on belong to this stream."""
        self._state.put(_STREAM, {"arn": {"S": stream_arn}})

    def mark_stale(self, reason: str) -> None:
        """Declare the index stale: changes were lost, only a refill brings it back."""
        self._state.put("stale", {"reason": {"S": reason}})

    def stale(self) -> str | None:
        """Why the index is stale, or None."""
        item = self._state.get("stale")
        return item["reason"]["S"] if item else None

    def start_over(self) -> None:
        """Forget the position in the stream and that the index is stale: a refill from here on makes it whole."""
        for shard_id in self.load():
            self.forget(shard_id)
        self._state.delete(_STREAM)
        self._state.delete("stale")
