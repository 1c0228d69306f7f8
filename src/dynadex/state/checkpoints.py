"""Checkpoints: how far each shard of a stream is acknowledged, kept in the state table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from dynadex.clock import Clock, iso
from dynadex.state.state_table import StateTable

_PREFIX = "checkpoint/"
_STREAM = "stream"
_STALE = "stale"
# Time at which the refill began that recovers the stale index.
_RECOVERING_SINCE = "recovering_since_us"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Progress in one shard."""

    position: str | None
    """Last acknowledged sequence number; None before the first."""
    finished: bool = False
    """Whether the shard is read to its end."""
    passed_us: int | None = None
    """Every record of the shard up to this time (microseconds since the epoch, wall clock) is applied or
    dead-lettered. None when that is unknown, and for a finished shard once its child shards have checkpoints."""
    saved_at: str | None = field(default=None, compare=False)
    """ISO time in UTC; set on checkpoints that were loaded."""


class Checkpoints:
    """Checkpoints of one sync, and whether its index is stale. Every method may raise StateError."""

    def __init__(self, state: StateTable, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def load(self) -> dict[str, Checkpoint]:
        """Return every shard's checkpoint, by shard id."""
        return {name.removeprefix(_PREFIX): _checkpoint(item) for name, item in self._state.all(_PREFIX).items()}

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Save a shard's progress."""
        now = iso(self._clock.now_us())
        values: dict[str, Any] = {"finished": {"BOOL": checkpoint.finished}, "saved_at": {"S": now}}
        if checkpoint.position is not None:
            values["position"] = {"S": checkpoint.position}
        if checkpoint.passed_us is not None:
            values["passed_us"] = {"N": str(checkpoint.passed_us)}
        self._state.put(_PREFIX + shard_id, values)

    def passed_us(self) -> int | None:
        """Return the time up to which every change in the stream is applied or dead-lettered.

        In microseconds since the epoch, wall clock. None when it is unknown: no worker has run yet, or no checkpoint
        is of an unfinished shard.
        """
        return passed_by(self.load().values())

    def delete(self, shard_id: str) -> None:
        """Delete the checkpoint of a shard that the stream no longer has."""
        self._state.delete(_PREFIX + shard_id)

    def stream(self) -> str | None:
        """Return the ARN of the stream that the checkpoints belong to, None before the first start."""
        item = self._state.get(_STREAM)
        return item["arn"]["S"] if item else None

    def follow(self, stream_arn: str) -> None:
        """Record that later checkpoints belong to this stream."""
        self._state.put(_STREAM, {"arn": {"S": stream_arn}})

    def mark_stale(self, reason: str) -> None:
        """Mark the index as stale: it lost changes, and only a refill that begins later recovers it."""
        self._state.put(_STALE, {"reason": {"S": reason}})

    def stale(self) -> str | None:
        """Return why the index is stale, or None. It is stale until the refill that recovers it is complete."""
        item = self._state.get(_STALE)
        return item["reason"]["S"] if item else None

    def unrecovered(self) -> str | None:
        """Return why the index is stale while no refill that recovers it has begun; otherwise None."""
        item = self._state.get(_STALE)
        return item["reason"]["S"] if item and _RECOVERING_SINCE not in item else None

    def recovering_since_us(self) -> int | None:
        """Return when the refill that recovers the stale index began, in microseconds since the epoch, or None."""
        item = self._state.get(_STALE)
        return _number(item or {}, _RECOVERING_SINCE)

    def begin_recovery(self, started_us: int) -> None:
        """Record that a refill, begun at this time and before its first read, recovers the index if it is stale.

        The position in the stream is deleted: a worker that starts from now on reads the stream from its beginning.
        The index stays stale until ``end_recovery`` with the same time.
        """
        while mark := self._state.get(_STALE):
            before = _number(mark, _RECOVERING_SINCE)
            if before == started_us:
                return
            parameters = {":reason": mark["reason"]}
            if before is None:
                # Before the recovery is recorded: until then no worker starts, so none can lose its position.
                self._forget_position()
                condition = f"reason = :reason AND attribute_not_exists({_RECOVERING_SINCE})"
            else:
                # A worker that has started since an earlier recovery began has missed nothing: otherwise it would
                # have marked the index as stale again.
                condition = f"reason = :reason AND {_RECOVERING_SINCE} = :before"
                parameters |= {":before": {"N": str(before)}}
            values = {"reason": mark["reason"], _RECOVERING_SINCE: {"N": str(started_us)}}
            if self._state.put(_STALE, values, condition, parameters):
                return

    def end_recovery(self, started_us: int) -> bool:
        """Record that the refill that began at this time is complete, so that the index is no longer stale.

        Returns False, and changes nothing, when this refill does not recover the index: it was marked as stale again,
        another refill has begun since, or it was not stale.
        """
        return self._state.delete(_STALE, f"{_RECOVERING_SINCE} = :started", {":started": {"N": str(started_us)}})

    def _forget_position(self) -> None:
        for shard_id in self.load():
            self.delete(shard_id)
        self._state.delete(_STREAM)


def passed_by(checkpoints: Collection[Checkpoint]) -> int | None:
    """Return what ``Checkpoints.passed_us`` returns for these checkpoints. Pure.

    A finished shard that still has a ``passed_us`` counts: its child shards have no checkpoints yet.
    """
    if all(checkpoint.finished for checkpoint in checkpoints):
        return None
    times = [each.passed_us for each in checkpoints if not (each.finished and each.passed_us is None)]
    known = [time for time in times if time is not None]
    return min(known) if len(known) == len(times) else None


def _checkpoint(item: dict[str, Any]) -> Checkpoint:
    return Checkpoint(
        item.get("position", {}).get("S"),
        item["finished"]["BOOL"],
        _number(item, "passed_us"),
        item.get("saved_at", {}).get("S"),
    )


def _number(item: dict[str, Any], name: str) -> int | None:
    value = item.get(name)
    return int(value["N"]) if value else None
