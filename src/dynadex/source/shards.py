"""Which shards of a stream to read now: parents before children, nothing skipped silently. Pure."""

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
    """One shard as DescribeStream lists it."""

    shard_id: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """``ready``: shards to read now. ``lost``: why changes are certainly missing, empty if none are.
    ``forget``: checkpoints of shards that are long gone."""

    ready: list[str]
    lost: list[str]
    forget: list[str]


def shards_of(description: Mapping[str, Any]) -> list[Shard]:
    """The shards in one page of a DescribeStream reply."""
    return [Shard(one["ShardId"], one.get("ParentShardId")) for one in description["Shards"]]


def plan_reads(shards: Sequence[Shard], started: Collection[str], finished: Collection[str]) -> ReadPlan:
    """What to read, from the shards listed and the checkpoints kept.

    ``started``: shards with a checkpoint; ``finished``: those of them read to their end. A child waits for its
    parent, since a key's older changes are in the parent. A parent that is not listed is past its 24 hours: that
    is the beginning of the stream on a first start, but a gap if reading had begun before and never got through it.
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
