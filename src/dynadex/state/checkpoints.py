"""Where each shard of a stream is acknowledged up to, kept in the state table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from dynadex.clock import Clock, iso
from dynadex.state.state_table import StateTable

_PREFIX = "checkpoint/"
_STREAM = "stream"
_STALE = "stale"
_ANSWERED = "answered_since_us"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Progress in one shard: ``position`` is the last acknowledged sequence number (None before the first), and
    ``finished`` says whether the shard is read to its end.

    ``passed_us``: every record of the shard up to this time (microseconds since the epoch, wall clock) is applied or
    dead-lettered; None when that is not known, and for a finished shard once the shards that follow it are noted.
    ``saved_at`` (ISO time in UTC) is told by what was loaded.
    """

    position: str | None
    finished: bool = False
    passed_us: int | None = None
    saved_at: str | None = field(default=None, compare=False)


class Checkpoints:
    """The checkpoints of one sync. Every call raises StateError."""

    def __init__(self, state: StateTable, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def load(self) -> dict[str, Checkpoint]:
        """Every shard's checkpoint, by shard id."""
        return {what.removeprefix(_PREFIX): _checkpoint(item) for what, item in self._state.all(_PREFIX).items()}

    def save(self, shard_id: str, checkpoint: Checkpoint) -> None:
        """Keep a shard's progress."""
        now = iso(self._clock.now_us())
        values: dict[str, Any] = {"finished": {"BOOL": checkpoint.finished}, "saved_at": {"S": now}}
        if checkpoint.position is not None:
            values["position"] = {"S": checkpoint.position}
        if checkpoint.passed_us is not None:
            values["passed_us"] = {"N": str(checkpoint.passed_us)}
        self._state.put(_PREFIX + shard_id, values)

    def passed_us(self) -> int | None:
        """Everything in the stream up to this time (microseconds since the epoch, wall clock) is applied or
        dead-lettered.

        None when nobody knows: no worker ever ran, or none follows any shard that has not ended.
        """
        return passed_by(self.load().values())

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
        """Declare the index stale: changes were lost, only a refill that begins later brings it back."""
        self._state.put(_STALE, {"reason": {"S": reason}})

    def stale(self) -> str | None:
        """Why the index is stale, or None. A refill that is under way has not mended it yet."""
        item = self._state.get(_STALE)
        return item["reason"]["S"] if item else None

    def unanswered(self) -> str | None:
        """Why the index is stale while no refill has begun that mends it, else None."""
        item = self._state.get(_STALE)
        return item["reason"]["S"] if item and _ANSWERED not in item else None

    def answered(self) -> int | None:
        """When the refill began (as it said) that mends the stale index; None without one, or if it is not stale."""
        item = self._state.get(_STALE)
        return _number(item or {}, _ANSWERED)

    def begin_answer(self, started_us: int) -> None:
        """A refill that began at this time, and has read nothing yet, mends the index, if it is stale.

        The position in the stream is forgotten: a worker that starts from now on reads the stream from its beginning.
        The index stays stale until ``end_answer`` with the same time.
        """
        while mark := self._state.get(_STALE):
            before = _number(mark, _ANSWERED)
            if before == started_us:
                return
            parameters = {":reason": mark["reason"]}
            if before is None:
                # Before the mark is answered: until then no worker starts, and none can lose its place by this.
                self._forget_position()
                condition = f"reason = :reason AND attribute_not_exists({_ANSWERED})"
            else:
                # Whoever reads since an earlier answer has missed nothing, or would have declared the index stale anew.
                condition = f"reason = :reason AND {_ANSWERED} = :before"
                parameters |= {":before": {"N": str(before)}}
            values = {"reason": mark["reason"], _ANSWERED: {"N": str(started_us)}}
            if self._state.put(_STALE, values, condition, parameters):
                return

    def end_answer(self, started_us: int) -> bool:
        """The refill that began at this time is complete: the index is stale no longer.

        False, and nothing changes, when it is not this refill that answers: the index was declared stale again, or
        another refill began since, or it was not stale.
        """
        return self._state.delete(_STALE, f"{_ANSWERED} = :started", {":started": {"N": str(started_us)}})

    def _forget_position(self) -> None:
        for shard_id in self.load():
            self.forget(shard_id)
        self._state.delete(_STREAM)


def passed_by(noted: Collection[Checkpoint]) -> int | None:
    """What ``Checkpoints.passed_us`` says of these checkpoints. Pure.

    A finished shard that still says how far it is passed counts: those that follow it are not noted yet.
    """
    if all(one.finished for one in noted):
        return None
    times = [one.passed_us for one in noted if not (one.finished and one.passed_us is None)]
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
