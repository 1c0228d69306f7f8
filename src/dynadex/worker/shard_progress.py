"""Progress in one shard: its position, and the time up to which no change is missing. Both are saved together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from dynadex.clock import Clock
from dynadex.document.versioning import MICROSECONDS
from dynadex.source.shards import STREAM_RETENTION_US, Shard
from dynadex.source.stream_event import Record, sequence_number, time_us
from dynadex.state.ack_tracker import AckTracker
from dynadex.state.checkpoints import Checkpoint

# A change usually reaches the stream well within a second, so an empty read proves nothing about the time just before.
STREAM_DELAY_US = 2 * MICROSECONDS
# GetRecords may return nothing although records follow. Only this number of empty reads in a row means that there are
# none: about five lead through a whole empty shard (see `catch_up`), and AWS promises no number.
QUIET_READS = 10
# A quiet shard costs a write for each checkpoint too: save no more often than this.
IDLE_SAVE_SECONDS = 5.0
# In a backlog, a checkpoint after every batch would take a part of the time of each. After a crash, the changes of this
# time are read again, and change nothing.
BACKLOG_SAVE_SECONDS = 1.0
# A finished shard without children after this time was the last one, or was merged into another.
_CHILDLESS_US = 60 * MICROSECONDS


class ShardProgress:
    """Decides what the checkpoint of one shard contains, and when to save it.

    ``save`` stores a checkpoint, and blocks until it succeeds.
    """

    def __init__(self, checkpoint: Checkpoint, save: Callable[[Checkpoint], None], clock: Clock) -> None:
        self._acknowledged = AckTracker(checkpoint.position)
        self._passed_us = checkpoint.passed_us
        self._save = save
        self._clock = clock
        self._times_us: dict[str, int] = {}
        self._quiet_reads = 0
        self._saved_at = float("-inf")
        self._more_follows = False
        self._unsaved = False

    def track(self, records: Sequence[Record], more_follows: bool = False) -> None:
        """Register records that are about to be delivered. ``more_follows``: the next batch is already being read."""
        self._more_follows = more_follows
        if records:
            self._quiet_reads = 0
        if not self._acknowledged.in_flight:
            self._times_us.clear()
        for record in records:
            time = record["dynamodb"].get("ApproximateCreationDateTime")
            if time is not None:
                self._times_us[sequence_number(record)] = time_us(time)
        self._acknowledged.track([sequence_number(record) for record in records])

    def acknowledge(self, records: Sequence[Record]) -> None:
        """Acknowledge records that are applied or dead-lettered, and save a checkpoint if one is due."""
        before = self._acknowledged.position
        self._acknowledged.acknowledge([sequence_number(record) for record in records])
        position = self._acknowledged.position
        if position is not None and position != before:
            # The time of a record is rounded down, so records with the same time may follow: it claims no more.
            self._advance(self._times_us.get(position))
            self._unsaved = True
            # The rest of a partly processed batch may be retried for a long time.
            if not self._more_follows or self._acknowledged.in_flight or self._age() >= BACKLOG_SAVE_SECONDS:
                self._store()

    def idle(self, read_at_us: int) -> None:
        """Note that a read that began at this time (wall clock) returned no records, and the shard has not ended."""
        self.save()
        self._quiet_reads += 1
        if self._quiet_reads < QUIET_READS or self._acknowledged.in_flight:
            return
        self._advance(read_at_us - STREAM_DELAY_US)
        if self._age() >= IDLE_SAVE_SECONDS:
            self._store()

    def save(self, save: Callable[[Checkpoint], None] | None = None) -> None:
        """Save acknowledged progress that is not saved yet. ``save`` replaces the function of the constructor."""
        if self._unsaved:
            self._store(save=save)

    def finish(self) -> None:
        """Save that the shard is read to its end."""
        self._store(finished=True)

    def _advance(self, until_us: int | None) -> None:
        if until_us is not None:
            self._passed_us = max(until_us, self._passed_us or 0)

    def _store(self, finished: bool = False, save: Callable[[Checkpoint], None] | None = None) -> None:
        (save or self._save)(Checkpoint(self._acknowledged.position, finished, self._passed_us))
        self._saved_at, self._unsaved = self._clock.monotonic(), False

    def _age(self) -> float:
        return self._clock.monotonic() - self._saved_at


def first_checkpoint(parent: Checkpoint | None) -> Checkpoint:
    """Return the checkpoint at which a new shard starts: all of its records are later than those its parent passed."""
    return Checkpoint(None, passed_us=parent.passed_us if parent else None)


def may_lack_its_beginning(checkpoint: Checkpoint, saved: Checkpoint | None, now_us: int) -> bool:
    """Whether records may have been trimmed from the beginning of a shard that was never read. Pure.

    A stream does not report this: it begins with the records that remain. ``saved`` is the stored checkpoint of the
    shard or, if it has none, of its parent: no record since then has been read.
    """
    if checkpoint.position is not None or saved is None:
        return False
    since_us = saved.passed_us
    if since_us is None and saved.saved_at:
        since_us = time_us(datetime.fromisoformat(saved.saved_at))
    return since_us is not None and now_us - since_us > STREAM_RETENTION_US


def covered_by_children(shards: Sequence[Shard], checkpoints: Mapping[str, Checkpoint], now_us: int) -> list[str]:
    """Return the finished shards whose time no longer limits the lag, because all of their children have checkpoints.

    Until then it must: no other checkpoint shows that the stream continues where the shard ended.
    """
    children: dict[str, list[str]] = {}
    for shard in shards:
        if shard.parent:
            children.setdefault(shard.parent, []).append(shard.shard_id)

    def is_covered(shard_id: str, passed_us: int) -> bool:
        child_ids = children.get(shard_id)
        return all(child in checkpoints for child in child_ids) if child_ids else now_us - passed_us > _CHILDLESS_US

    return [
        shard_id
        for shard_id, checkpoint in checkpoints.items()
        if checkpoint.finished and checkpoint.passed_us is not None and is_covered(shard_id, checkpoint.passed_us)
    ]
