"""In-memory table with a stream, behind the boto3 calls that dynadex makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from types import SimpleNamespace
from typing import Any
from zlib import crc32

from botocore.exceptions import ClientError

from dynadex.clock import Clock
from dynadex.document.identity import KeySchema, document_id
from dynadex.testing.clock import MICROSECONDS, ManualClock
from dynadex.testing.conditions import holds

_FIRST_SEQUENCE_NUMBER = 100_000_000_000_000_000_000
_MAX_RECORDS = 1000
_MAX_ITEMS = 500
_MAX_KEYS = 100


@dataclass(slots=True)
class _Shard:
    shard_id: str
    parent: str | None
    starts_at: str
    records: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = False
    trimmed: int = 0
    """How many of its oldest records are trimmed."""


class InMemoryTable:
    """One table and its stream: replacement for the boto3 clients ``dynamodb`` and ``dynamodbstreams`` in tests.

    Write with ``put`` and ``remove``, and change the stream with ``split``, ``trim``, ``forget_shard`` and
    ``expire_iterators``. The other methods are boto3 calls: they take the arguments of boto3, return the parts of the
    reply that dynadex reads, and raise ``botocore.exceptions.ClientError``.
    """

    def __init__(
        self,
        name: str = "table",
        schema: KeySchema | None = None,
        clock: Clock | None = None,
        granularity_us: int = MICROSECONDS,
    ) -> None:
        """Create an empty table.

        Args:
            name: Name of the table.
            schema: Names and types of its key attributes; by default one text attribute ``id``.
            clock: Clock that gives stream records their time, a `ManualClock` by default.
            granularity_us: Microseconds that the time of a record is rounded down to.
        """
        self.name = name
        self.schema = schema or KeySchema(("id",), ("S",))
        self.stream_arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}/stream/2026-01-01T00:00:00.000"
        self.meta = SimpleNamespace(region_name="us-east-1", endpoint_url="memory:")
        self._clock = clock or ManualClock()
        self._granularity_us = granularity_us
        self._items: dict[str, dict[str, Any]] = {}
        self._next_number = _FIRST_SEQUENCE_NUMBER
        self._shards: list[_Shard] = [_Shard("shard-0", None, str(self._next_number))]
        self._iterators = 0
        # Requests may come from several threads; a condition and its write are one step.
        self._lock = Lock()

    # Changes that a test makes.

    def put(self, item: Mapping[str, Any]) -> None:
        """Write an item.

        Args:
            item: Item in typed JSON. An item equal to the stored one adds no stream record.
        """
        identity = document_id(self.schema, item)
        if self._items.get(identity) == item:
            return
        event = "MODIFY" if identity in self._items else "INSERT"
        self._items[identity] = dict(item)
        self._record(event, identity, item)

    def remove(self, key: Mapping[str, Any]) -> None:
        """Delete an item. Without one, nothing happens.

        Args:
            key: Key of the item, in typed JSON.
        """
        identity = document_id(self.schema, key)
        item = self._items.pop(identity, None)
        if item is not None:
            self._record("REMOVE", identity, item)

    def items(self) -> dict[str, dict[str, Any]]:
        """Return every item.

        Returns:
            The items in typed JSON, by the id of their documents.
        """
        return dict(self._items)

    def records(self) -> list[dict[str, Any]]:
        """Return every stream record ever added, trimmed ones included.

        Returns:
            Records as DynamoDB Streams sends them, oldest first.
        """
        records = [record for shard in self._shards for record in shard.records]
        return sorted(records, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))

    def split(self, shard_id: str, children: int = 2) -> list[str]:
        """Close a shard and open child shards, to which later records are distributed by their key.

        Args:
            shard_id: Id of an open shard.
            children: Number of child shards.

        Returns:
            The ids of the child shards.
        """
        parent = self._shard(shard_id)
        parent.closed = True
        count = len(self._shards)
        names = [f"shard-{count + position}" for position in range(children)]
        self._shards += [_Shard(name, shard_id, str(self._next_number)) for name in names]
        return names

    def trim(self, shard_id: str, records: int) -> None:
        """Trim the oldest records of a shard, as DynamoDB Streams does after 24 hours.

        Args:
            shard_id: Id of the shard.
            records: Number of records to trim, in addition to those trimmed before.
        """
        self._shard(shard_id).trimmed += records

    def forget_shard(self, shard_id: str) -> None:
        """Remove a shard from the stream, as DynamoDB Streams does some time after its last record is trimmed.

        Args:
            shard_id: Id of the shard.
        """
        self._shards.remove(self._shard(shard_id))

    def expire_iterators(self) -> None:
        """Expire every shard iterator that was returned so far."""
        self._iterators += 1

    # boto3 calls.

    def describe_table(self, **request: Any) -> dict[str, Any]:
        """Describe the table: its key, its stream and its number of items."""
        self._check_name(request["TableName"])
        kinds = ("HASH", "RANGE")
        names = self.schema.names
        return {
            "Table": {
                "KeySchema": [{"AttributeName": n, "KeyType": k} for n, k in zip(names, kinds, strict=False)],
                "AttributeDefinitions": [
                    {"AttributeName": n, "AttributeType": t} for n, t in zip(names, self.schema.types, strict=True)
                ],
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
                "LatestStreamArn": self.stream_arn,
                "ItemCount": len(self._items),
            }
        }

    def put_item(self, **request: Any) -> dict[str, Any]:
        """Write an item, if its condition holds."""
        self._check_name(request["TableName"])
        with self._lock:
            self._check_condition(document_id(self.schema, request["Item"]), request)
            self.put(request["Item"])
        return {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        """Delete an item, if its condition holds, and return its attributes."""
        self._check_name(request["TableName"])
        identity = document_id(self.schema, request["Key"])
        with self._lock:
            self._check_condition(identity, request)
            old = self._items.get(identity)
            self.remove(request["Key"])
        return {"Attributes": old} if old else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        """Return the items with the given keys. At most 100 keys, each once."""
        [(name, query)] = request["RequestItems"].items()
        self._check_name(name)
        ids = [document_id(self.schema, key) for key in query["Keys"]]
        if len(ids) > _MAX_KEYS:
            raise _client_error("ValidationException", f"Member must have length less than or equal to {_MAX_KEYS}")
        if len(set(ids)) < len(ids):
            raise _client_error("ValidationException", "Provided list of item keys contains duplicates")
        items = [self._items[identity] for identity in ids if identity in self._items]
        return {"Responses": {name: [dict(item) for item in items]}, "UnprocessedKeys": {}}

    def scan(self, **request: Any) -> dict[str, Any]:
        """Return one page of a segment: at most ``Limit`` or 500 items."""
        self._check_name(request["TableName"])
        segments, segment = request.get("TotalSegments", 1), request.get("Segment", 0)
        segment_ids = sorted(identity for identity in self._items if _slot(identity, segments) == segment)
        start = request.get("ExclusiveStartKey")
        remaining = [i for i in segment_ids if start is None or i > document_id(self.schema, start)]
        page = remaining[: request.get("Limit", _MAX_ITEMS)]
        reply: dict[str, Any] = {"Items": [dict(self._items[identity]) for identity in page], "Count": len(page)}
        if page and (len(page) < len(remaining) or len(page) == request.get("Limit")):
            # A scan that stops at its limit does not check whether more items follow.
            reply["LastEvaluatedKey"] = self.schema.key_of(self._items[page[-1]])
        return reply

    def describe_stream(self, **request: Any) -> dict[str, Any]:  # noqa: ARG002
        """List the shards of the stream."""
        shards = []
        for shard in self._shards:
            bounds = {"StartingSequenceNumber": shard.starts_at}
            if shard.closed:
                bounds["EndingSequenceNumber"] = str(self._next_number)
            described = {"ShardId": shard.shard_id, "SequenceNumberRange": bounds}
            shards.append(described | ({"ParentShardId": shard.parent} if shard.parent else {}))
        return {"StreamDescription": {"StreamArn": self.stream_arn, "Shards": shards}}

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        """Return an iterator at the position that ``ShardIteratorType`` names."""
        shard = self._shard(request["ShardId"])
        position = {"TRIM_HORIZON": shard.trimmed, "LATEST": len(shard.records)}.get(request["ShardIteratorType"])
        if position is None:
            after = int(request["SequenceNumber"])
            position = sum(int(record["dynamodb"]["SequenceNumber"]) <= after for record in shard.records)
            if position < shard.trimmed:
                raise _client_error("TrimmedDataAccessException", "The requested data is past the trim horizon")
        return {"ShardIterator": f"{shard.shard_id}/{position}/{self._iterators}"}

    def get_records(self, **request: Any) -> dict[str, Any]:
        """Return the records at an iterator: at most ``Limit`` or 1,000."""
        shard_id, position_text, age = request["ShardIterator"].rsplit("/", 2)
        shard, position = self._shard(shard_id), int(position_text)
        if int(age) < self._iterators:
            raise _client_error("ExpiredIteratorException", "The iterator is more than 5 minutes old")
        if position < shard.trimmed:
            raise _client_error("TrimmedDataAccessException", "The requested data is past the trim horizon")
        records = shard.records[position : position + request.get("Limit", _MAX_RECORDS)]
        position += len(records)
        reply: dict[str, Any] = {"Records": list(records)}
        if not shard.closed or position < len(shard.records):
            reply["NextShardIterator"] = f"{shard_id}/{position}/{age}"
        return reply

    def _check_condition(self, identity: str, request: Mapping[str, Any]) -> None:
        expression, item = request.get("ConditionExpression"), self._items.get(identity)
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        if expression is None or holds(expression, names, values, item or {}):
            return
        failure = _client_error("ConditionalCheckFailedException", "The conditional request failed")
        if item and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            failure.response["Item"] = dict(item)  # type: ignore[typeddict-unknown-key]
        raise failure

    def _record(self, event: str, identity: str, item: Mapping[str, Any]) -> None:
        time_us = self._clock.now_us() // self._granularity_us * self._granularity_us
        open_shards = [shard for shard in self._shards if not shard.closed]
        body = {
            "ApproximateCreationDateTime": datetime.fromtimestamp(time_us / MICROSECONDS, UTC),
            "Keys": self.schema.key_of(item),
            "SequenceNumber": str(self._next_number),
        }
        if event != "REMOVE":
            body["NewImage"] = dict(item)
        open_shards[_slot(identity, len(open_shards))].records.append({"eventName": event, "dynamodb": body})
        self._next_number += 1

    def _shard(self, shard_id: str) -> _Shard:
        for shard in self._shards:
            if shard.shard_id == shard_id:
                return shard
        raise _client_error("ResourceNotFoundException", f"Requested resource not found: Shard {shard_id}")

    def _check_name(self, name: str) -> None:
        if name != self.name:
            raise _client_error("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def _slot(identity: str, slots: int) -> int:
    """Return the segment or shard of an id: the same in each run, which Python's own hash is not."""
    return crc32(identity.encode()) % slots


def _client_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "InMemoryTable")
