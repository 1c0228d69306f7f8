"""Where faults strike: a table under load, a worker, an index, and the comparison at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynadex import clients
from dynadex.dead_letters.file import DeadLetterFile
from dynadex.dead_letters.sqs import DeadLetterQueue
from dynadex.document.body import same
from dynadex.runtime import connect
from dynadex.source.shard_reader import ShardReader, list_shards
from dynadex.source.table import Table
from tests.faults.load import is_refused
from tests.process.processes import Running, wait_for
from tests.process.scene import Scene

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_MAX_RECORDS = 1000
# Short, so that a fault or a kill falls between requests and within them, and patience does not cost minutes.
VARIABLES = {
    "DYNADEX_WORKER_BATCH_SIZE": "100",
    "DYNADEX_WORKER_LEASE_SECONDS": "0.6",
    "DYNADEX_WORKER_POLL_SECONDS": "0.05",
    "DYNADEX_OPENSEARCH_TIMEOUT_SECONDS": "1.5",
}


@dataclass
class Figures:
    """What a whole run did, for its one line at the end."""

    faults: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    writes: int = 0
    comparisons: int = 0
    differences: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return (
            f"faults: {self.faults.total():,} faults of {len(self.faults)} kinds, {self.kills} kills, "
            f"{self.writes:,} writes, {self.differences} differences, {self.lost} lost"
        )


class Stage(Scene):
    """A scene whose table holds items that the mapping refuses: those must be dead-lettered, and have no document."""

    queue: DeadLetterQueue | None = None
    """Where dead letters go instead of a file."""

    @cached_property
    def _dead_lettered(self) -> dict[str, str]:
        return {}

    @cached_property
    def streams(self) -> DynamoDBStreamsClient:
        return clients.dynamodb_streams(self.settings)

    @property
    def variables(self) -> dict[str, str]:
        return super().variables | VARIABLES | {"DYNADEX_DEAD_LETTERS": f"file:{self.dead_letters}"}

    def wanted(self, item: dict[str, Any]) -> bytes | None:
        """The document that an item must have."""
        return None if is_refused(item) else self.sync.build(item).body

    def differences(self) -> list[str]:
        items, documents = self.items(), self.documents()
        return [
            f"{i}: item {items.get(i)}, document {documents.get(i)}"
            for i in sorted(items.keys() | documents.keys())
            if not same(self.wanted(items[i]) if i in items else None, documents.get(i))
        ]

    def dead_lettered(self) -> dict[str, str]:
        """The keys ever seen among the dead letters, each with its last reason; reading a queue hides what is in it."""
        place = self.queue or DeadLetterFile(self.dead_letters)
        self._dead_lettered |= {one.letter.id: one.letter.reason for batch in place.batches() for one in batch}
        return self._dead_lettered

    def lost(self) -> list[str]:
        """Keys whose item is refused, and that nobody dead-lettered."""
        dead_lettered = self.dead_lettered()
        return [
            identity for identity, item in self.items().items() if is_refused(item) and identity not in dead_lettered
        ]

    def ends(self) -> dict[str, str]:
        """The last sequence number of each shard that has anything after its checkpoint, or a checkpoint."""
        arn = Table(self.dynamodb, self.name).describe().usable_stream()
        checkpoints = self.checkpoints()
        ends = dict(checkpoints)
        for shard in list_shards(self.streams, arn):
            reader = ShardReader(self.streams, arn, shard.shard_id, checkpoints.get(shard.shard_id))
            while records := reader.read(_MAX_RECORDS).records:
                ends[shard.shard_id] = records[-1]["dynamodb"]["SequenceNumber"]
        return ends

    def await_drained(self, *workers: Running, seconds: float) -> None:
        """Wait until everything written by now is acknowledged, by a worker that lives."""
        ends = self.ends()

        def drained() -> bool:
            assert any(worker.is_alive() for worker in workers), "\n".join(map(str, workers))
            return _reached(self.checkpoints(), ends)

        try:
            wait_for(drained, "the checkpoint passes the last record", seconds)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *map(str, workers)])) from None

    def compare(self, figures: Figures, *workers: Running, seconds: float = 60.0) -> None:
        """Once drained, table and index are the same at once, nothing refused is lost, and nothing else is
        dead-lettered."""
        self.await_drained(*workers, seconds=seconds)
        differences, lost = self.differences(), self.lost()
        figures.comparisons += 1
        figures.differences += len(differences)
        figures.lost += len(lost)
        assert not differences, "\n".join([f"{len(differences)} differences:", *differences[:20]])
        assert not lost, f"{len(lost)} refused and not dead-lettered: {lost[:20]}"
        astray = {i: reason for i, reason in self.dead_lettered().items() if "difficulty" not in reason}
        assert not astray, f"dead-lettered, but not for what they are: {astray}"

    def close(self) -> None:
        self.streams.close()
        super().close()


def _reached(checkpoints: Mapping[str, str], ends: Mapping[str, str]) -> bool:
    return all(int(checkpoints.get(shard_id, "-1")) >= int(end) for shard_id, end in ends.items())


def make_stage(directory: Path, name: str, dynamodb_url: str, opensearch_url: str) -> Stage:
    """A stage in a directory of its own, with its table and its index."""
    (directory / name).mkdir()
    stage = Stage(directory / name, name, dynamodb_url, opensearch_url)
    stage.create_table()
    # Not by the worker: it has little patience here, and a busy machine may need longer than that.
    connect(stage.sync, stage.settings).ensure_index()
    return stage
