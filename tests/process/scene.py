"""A table of songs and its index, for tests with real processes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynadex import Sync, clients
from dynadex.clock import SystemClock
from dynadex.demo.lessons import MAPPINGS, SETTINGS
from dynadex.demo.loader import load
from dynadex.document.body import same
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import typed
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.settings import RuntimeSettings
from dynadex.source.shard_reader import ShardReader, list_shards
from dynadex.state.lease import Lease, holder_of_lease
from dynadex.state.state_table import StateTable
from tests.waiting import wait_for

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from opensearchpy import OpenSearch

MODULE = "tests_sync"
REFERENCE = f"{MODULE}:sync"
_SCHEMA = KeySchema(("id",), ("S",))
# A count refreshes the index, which costs time.
_COUNT_EVERY_SECONDS = 0.1
_DECLARATION = """
from dynadex import Sync
from dynadex.demo.lessons import MAPPINGS, SETTINGS

sync = Sync(table={name!r}, index={name!r}, mappings=MAPPINGS, settings=SETTINGS)
"""


class Scene:
    """A table with a stream and a module that declares its sync, both called ``name``, in ``directory``."""

    def __init__(self, directory: Path, name: str, dynamodb_url: str, opensearch_url: str) -> None:
        self.directory = directory
        self.name = name
        self.settings = RuntimeSettings(dynamodb_url=dynamodb_url, opensearch_url=opensearch_url)
        self.sync = Sync(table=name, index=name, mappings=MAPPINGS, settings=SETTINGS)
        self.declare(_DECLARATION.format(name=name))
        self.dead_letters = directory / "dead-letters.jsonl"

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return clients.dynamodb(self.settings)

    @cached_property
    def opensearch(self) -> OpenSearch:
        return clients.opensearch(self.settings)

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of a process that works on this scene."""
        assert self.settings.dynamodb_url
        return {
            "DYNADEX_DYNAMODB_URL": self.settings.dynamodb_url,
            "DYNADEX_WORKER_LEASE_SECONDS": "1",
            "OPENSEARCH_URL": self.settings.opensearch_url,
        }

    def declare(self, module: str) -> None:
        (self.directory / f"{MODULE}.py").write_text(module)

    def create_table(self, stream_view: str | None = "NEW_AND_OLD_IMAGES") -> None:
        self.dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=(
                {"StreamEnabled": True, "StreamViewType": stream_view}  # type: ignore[typeddict-item]
                if stream_view
                else {"StreamEnabled": False}
            ),
        )

    def load(self, songs: Iterable[dict[str, Any]]) -> int:
        return load(self.dynamodb, self.name, songs, lambda _: None)

    def put(self, song: dict[str, Any]) -> None:
        self.dynamodb.put_item(TableName=self.name, Item=typed(song)["M"])

    def delete(self, identity: str) -> None:
        self.dynamodb.delete_item(TableName=self.name, Key={"id": {"S": identity}})

    def items(self) -> dict[str, dict[str, Any]]:
        """Every item of the table, by the id of its document."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name, ConsistentRead=True)
        return {document_id(_SCHEMA, _SCHEMA.key_of(item)): item for page in pages for item in page["Items"]}

    def documents(self) -> dict[str, Any]:
        """Every document that a search can find, by its id."""
        self._refresh()
        index = OpenSearchIndex(self.opensearch)
        documents: dict[str, Any] = {}
        for page in index.versions(self.name):
            ids = [identity for identity, _ in page]
            pairs = zip(ids, index.get_many(self.name, ids), strict=True)
            documents |= {identity: stored.source for identity, stored in pairs if stored}
        return documents

    def count(self) -> int:
        """Number of documents; 0 without an index."""
        if not self.opensearch.indices.exists_alias(name=self.name):
            return 0
        self._refresh()
        return int(self.opensearch.transport.perform_request("GET", f"/{self.name}/_count")["count"])

    def differences(self) -> list[str]:
        """Every id whose document and item differ, in either direction."""
        items, documents = self.items(), self.documents()
        expected = {identity: self.sync.build(item).body for identity, item in items.items()}
        ids = sorted(expected.keys() | documents.keys())
        return [
            f"{i}: item {items.get(i)}, document {documents.get(i)}"
            for i in ids
            if not same(expected.get(i), documents.get(i))
        ]

    def await_count(self, min_count: int) -> int:
        """Wait for a number of documents; return their number."""
        return wait_for(
            lambda: (count := self.count()) >= min_count and count, f"{min_count} documents", _COUNT_EVERY_SECONDS
        )

    def await_equal(self) -> None:
        """Wait until table and index are equal. Fails with their differences."""
        differences: list[str] = []

        def equal() -> bool:
            differences[:] = self.differences()
            return not differences

        try:
            wait_for(equal, "table and index are equal")
        except AssertionError as error:
            raise AssertionError(
                "\n".join([str(error), f"{len(differences)} differences:", *differences[:20]])
            ) from None

    def checkpoints(self) -> dict[str, str]:
        """The stored position of each shard."""
        reply = self.dynamodb.scan(TableName=f"{self.name}-dynadex", ConsistentRead=True)
        prefix = "checkpoint/"
        return {
            str(item["what"]["S"]).removeprefix(prefix): str(item["position"]["S"])
            for item in reply["Items"]
            if str(item["what"]["S"]).startswith(prefix) and "position" in item
        }

    def await_checkpoint(self) -> None:
        """Wait until the checkpoint of the table's only shard is at the last change."""
        arn = self.dynamodb.describe_table(TableName=self.name)["Table"]["LatestStreamArn"]
        streams = clients.dynamodb_streams(self.settings)
        [shard] = list_shards(streams, arn)
        reader, last = ShardReader(streams, arn, shard.shard_id, None), ""
        while records := reader.read(1000).records:
            last = records[-1]["dynamodb"]["SequenceNumber"]
        wait_for(lambda: self.checkpoints().get(shard.shard_id) == last, f"the checkpoint at {last}")

    def expire_lease(self) -> None:
        """End the term of the lease of a worker that was killed, without waiting for it."""
        state = StateTable(self.dynamodb, f"{self.name}-dynadex", self.name)
        holder = holder_of_lease(state)
        assert holder
        Lease(state, holder.owner, SystemClock(), 0.0).release()

    def close(self) -> None:
        self.dynamodb.close()
        self.opensearch.close()

    def _refresh(self) -> None:
        self.opensearch.transport.perform_request("POST", f"/{self.name}/_refresh")
