"""A table under load, a worker and an index, and the comparison after faults."""

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
from tests.faults.load import is_rejected
from tests.process.processes import Running
from tests.process.scene import Scene
from tests.waiting import wait_for

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_MAX_RECORDS = 1000
# Short, so that faults and kills occur between requests and within them, and waits do not take minutes.
VARIABLES = {
    "DYNADEX_WORKER_BATCH_SIZE": "100",
    "DYNADEX_WORKER_LEASE_SECONDS": "0.6",
    "DYNADEX_WORKER_POLL_SECONDS": "0.05",
    # Also long enough for a bulk request on a slow machine.
    "DYNADEX_OPENSEARCH_TIMEOUT_SECONDS": "5",
}


@dataclass
class Figures:
    """Figures of a whole run, printed as one line at its end."""

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
    """A scene whose table contains items that the mapping rejects: they must be dead-lettered, without a document."""

    queue: DeadLetterQueue | None = None
    """Queue for dead letters instead of a file."""

    @cached_property
    def _dead_lettered(self) -> dict[str, str]:
        return {}

    @cached_property
    def streams(self) -> DynamoDBStreamsClient:
        return clients.dynamodb_streams(self.settings)

    @property
    def variables(self) -> dict[str, str]:
        return super().variables | VARIABLES | {"DYNADEX_DEAD_LETTERS": f"file:{self.dead_letters}"}

    def expected(self, item: dict[str, Any]) -> bytes | None:
        """Return the document that an item must have."""
        return None if is_rejected(item) else self.sync.build(item).body

    def differences(self) -> list[str]:
        items, documents = self.items(), self.documents()
        return [
            f"{i}: item {items.get(i)}, document {documents.get(i)}"
            for i in sorted(items.keys() | documents.keys())
            if not same(self.expected(items[i]) if i in items else None, documents.get(i))
        ]

    def dead_lettered(self) -> dict[str, str]:
        """Return every dead-lettered key so far with its last reason. Reading a queue hides its messages."""
        dead_letters = self.queue or DeadLetterFile(self.dead_letters)
        self._dead_lettered |= {
            stored.letter.id: stored.letter.reason for batch in dead_letters.batches() for stored in batch
        }
        return self._dead_lettered

    def lost_keys(self) -> list[str]:
        """Return keys whose item is rejected and that are not dead-lettered."""
        dead_lettered = self.dead_lettered()
        return [
            identity for identity, item in self.items().items() if is_rejected(item) and identity not in dead_lettered
        ]

    def ends(self) -> dict[str, str]:
        """Return the last sequence number of each shard that has a checkpoint, or records after it."""
        arn = Table(self.dynamodb, self.name).describe().usable_stream()
        checkpoints = self.checkpoints()
        ends = dict(checkpoints)
        for shard in list_shards(self.streams, arn):
            reader = ShardReader(self.streams, arn, shard.shard_id, checkpoints.get(shard.shard_id))
            while records := reader.read(_MAX_RECORDS).records:
                ends[shard.shard_id] = records[-1]["dynamodb"]["SequenceNumber"]
        return ends

    def await_drained(self, *workers: Running) -> None:
        """Wait until every write so far is acknowledged. Fails if no worker is alive."""
        ends = self.ends()

        def drained() -> bool:
            assert any(worker.is_alive() for worker in workers), "\n".join(map(str, workers))
            return _reached(self.checkpoints(), ends)

        try:
            wait_for(drained, "the checkpoint passes the last record")
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *map(str, workers)])) from None

    def compare(self, figures: Figures, *workers: Running) -> None:
        """Wait until the stream is drained. Then table and index must be equal, and exactly the rejected items
        dead-lettered."""
        self.await_drained(*workers)
        differences, lost = self.differences(), self.lost_keys()
        figures.comparisons += 1
        figures.differences += len(differences)
        figures.lost += len(lost)
        assert not differences, "\n".join([f"{len(differences)} differences:", *differences[:20]])
        assert not lost, f"{len(lost)} rejected and not dead-lettered: {lost[:20]}"
        unexpected = {i: reason for i, reason in self.dead_lettered().items() if "difficulty" not in reason}
        assert not unexpected, f"dead-lettered for another reason: {unexpected}"

    def close(self) -> None:
        self.streams.close()
        super().close()


def _reached(checkpoints: Mapping[str, str], ends: Mapping[str, str]) -> bool:
    return all(int(checkpoints.get(shard_id, "-1")) >= int(end) for shard_id, end in ends.items())


def make_stage(directory: Path, name: str, dynamodb_url: str, opensearch_url: str) -> Stage:
    """Create a stage in a separate directory, with its table and its index."""
    (directory / name).mkdir()
    stage = Stage(directory / name, name, dynamodb_url, opensearch_url)
    stage.create_table()
    # The worker has short timeouts here, so it does not create the index: a busy machine may need longer.
    connect(stage.sync, stage.settings).ensure_index()
    return stage
