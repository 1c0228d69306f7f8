"""How far one shard is applied: its position, and the time up to which nothing is missing. Both are saved together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from dynadex.clock import Clock
from dynadex.document.versioning import MICROSECONDS
from dynadex.source.shards import STREAM_RETENTION_US, Shard
from dynadex.source.stream_event import Record, sequence_number, time_us
from dynadex.state.ack_tracker import AckTracker
from dynadex.state.checkpoints import Checkpoint

# A change is in the stream well within a second as a rule; a read says nothing of the time right before it.
STREAM_DELAY_US = 2 * MICROSECONDS
# GetRecords may answer nothing although records follow; only so many answers in a row mean that there are none. About
# five lead through a whole empty shard (see `catch_up`), AWS promises no number.
QUIET_READS = 10
# That nothing happened is a write like any other, for every shard: no oftener than this.
IDLE_SAVE_SECONDS = 5.0
# While more is there to be read: a checkpoint for every batch would take a part of the time of each. After a crash so
# much more is read again, and changes nothing.
BACKLOG_SAVE_SECONDS = 1.0
# A shard that nothing follows by then was the last one, or was merged into another.
_CHILDLESS_US = 60 * MICROSECONDS


class ShardProgress:
    """What one shard's checkpoint may say. ``save`` keeps a checkpoint, however long that takes."""

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
        """These were read, and are about to be delivered; ``more_follows``: others will be, right after them."""
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
        """These are applied or dead-lettered."""
        before = self._acknowledged.position
        self._acknowledged.acknowledge([sequence_number(record) for record in records])
        position = self._acknowledged.position
        if position is not None and position != before:
            # A record's time is rounded down: of those that follow with the same one, none is claimed.
            self._pass(self._times_us.get(position))
            self._unsaved = True
            # A batch of which a part is left may be delivered again and again.
            if not self._more_follows or self._acknowledged.in_flight or self._age() >= BACKLOG_SAVE_SECONDS:
                self._keep()

    def idle(self, read_at_us: int) -> None:
        """A read that began at this time (wall clock) brought nothing, and the shard has not ended."""
        self.save()
        self._quiet_reads += 1
        if self._quiet_reads < QUIET_READS or self._acknowledged.in_flight:
            return
        self._pass(read_at_us - STREAM_DELAY_US)
        if self._age() >= IDLE_SAVE_SECONDS:
            self._keep()

    def save(self, save: Callable[[Checkpoint], None] | None = None) -> None:
        """Save what is acknowledged, if it is not saved; by ``save``, where it is to be saved in another way."""
        if self._unsaved:
            self._keep(save=save)

    def finish(self) -> None:
        """The shard is read to its end."""
        self._keep(finished=True)

    def _pass(self, until_us: int | None) -> None:
        if until_us is not None:
            self._passed_us = max(until_us, self._passed_us or 0)

    def _keep(self, finished: bool = False, save: Callable[[Checkpoint], None] | None = None) -> None:
        (save or self._save)(Checkpoint(self._acknowledged.position, finished, self._passed_us))
        self._saved_at, self._unsaved = self._clock.monotonic(), False

    def _age(self) -> float:
        return self._clock.monotonic() - self._saved_at


def first_checkpoint(parent: Checkpoint | None) -> Checkpoint:
    """Where a shard begins that was never read: every record of it is later than those its parent had passed."""
    return Checkpoint(None, passed_us=parent.passed_us if parent else None)


def may_lack_its_beginning(checkpoint: Checkpoint, noted: Checkpoint | None, now_us: int) -> bool:
    """Whether a shard that is read from its beginning may have lost it by now. Pure.

    A stream does not tell: it begins with what is left. ``noted`` is what the shard itself or, where it was never
    noted, its parent said last: what came since then is read by nobody yet.
    """
    if checkpoint.position is not None or noted is None:
        return False
    since_us = noted.passed_us
    if since_us is None and noted.saved_at:
        since_us = time_us(datetime.fromisoformat(noted.saved_at))
    return since_us is not None and now_us - since_us > STREAM_RETENTION_US


def succeeded(shards: Sequence[Shard], noted: Mapping[str, Checkpoint], now_us: int) -> list[str]:
    """The finished shards that need no longer say how far they are passed: those that follow them do.

    Until then they must: nobody else knows that the stream goes on where they ended.
    """
    children: dict[str, list[str]] = {}
    for shard in shards:
        if shard.parent:
            children.setdefault(shard.parent, []).append(shard.shard_id)

    def is_succeeded(shard_id: str, passed_us: int) -> bool:
        following = children.get(shard_id)
        return all(child in noted for child in following) if following else now_us - passed_us > _CHILDLESS_US

    return [
        shard_id
        for shard_id, one in noted.items()
        if one.finished and one.passed_us is not None and is_succeeded(shard_id, one.passed_us)
    ]
