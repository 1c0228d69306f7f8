"""Selection of the shards to read next: parents before children, with every gap reported. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynadex.document.versioning import MICROSECONDS

# A stream keeps its records for 24 hours:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
STREAM_RETENTION_US = 24 * 3600 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard, as DescribeStream lists it."""

    shard_id: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """The result of `plan_reads`.

    Attributes:
        ready: Shards to read now.
        lost: Why changes are certainly missing, as sentences; empty if none are missing.
        obsolete: Shards whose checkpoints are no longer needed.
    """

    ready: list[str]
    lost: list[str]
    obsolete: list[str]


def shards_of(description: Mapping[str, Any]) -> list[Shard]:
    """Return the shards in one page of a DescribeStream reply."""
    return [Shard(shard["ShardId"], shard.get("ParentShardId")) for shard in description["Shards"]]


def plan_reads(shards: Sequence[Shard], started: Collection[str], finished: Collection[str]) -> ReadPlan:
    """Plan the reads of a stream.

    A child waits for its parent, which contains the older changes of its keys. A parent that is no longer listed is
    older than 24 hours: on a first start, the stream starts there; after an earlier start, it is a gap unless the
    parent was finished.

    Args:
        shards: The shards that the stream lists.
        started: Ids of the shards with a checkpoint.
        finished: Ids of those that were read to their end.
    """
    listed = {shard.shard_id for shard in shards}
    ready, lost = [], []
    for shard in shards:
        if shard.shard_id in finished or (shard.parent in listed and shard.parent not in finished):
            continue
        ready.append(shard.shard_id)
        unseen_parent = shard.parent is not None and shard.parent not in listed and shard.parent not in finished
        if unseen_parent and started and shard.shard_id not in started:
            lost.append(f"shard {shard.shard_id} follows {shard.parent}, which was trimmed before it was read")
    for shard_id in started:
        if shard_id not in listed and shard_id not in finished:
            lost.append(f"shard {shard_id} was trimmed before it was read to its end")
    needed = {shard.parent for shard in shards if shard.shard_id not in started}
    forget = [shard_id for shard_id in finished if shard_id not in listed and shard_id not in needed]
    return ReadPlan(ready, lost, forget)
