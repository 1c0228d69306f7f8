"""An in-memory table with a stream of scripted shards, behind the boto3 calls that dynadex makes."""

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
    """How many of its oldest records are forgotten."""


class InMemoryTable:
    """One table and its stream, standing in for the boto3 clients ``dynamodb`` and ``dynamodbstreams`` at once.

    ``granularity_us`` is what record times are rounded down to. Tests write with ``put`` and ``remove``, and shape
    the stream with ``split``, ``trim`` and ``expire_iterators``.
    """

    def __init__(
        self,
        name: str = "table",
        schema: KeySchema | None = None,
        clock: Clock | None = None,
        granularity_us: int = MICROSECONDS,
    ) -> None:
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
        # Requests come from several threads; a condition and its write are one step.
        self._lock = Lock()

    # What a test does to the table.

    def put(self, item: Mapping[str, Any]) -> None:
        """Write an item, as PutItem does; one that changes nothing makes no record."""
        identity = document_id(self.schema, item)
        if self._items.get(identity) == item:
            return
        event = "MODIFY" if identity in self._items else "INSERT"
        self._items[identity] = dict(item)
        self._record(event, identity, item)

    def remove(self, key: Mapping[str, Any]) -> None:
        """Delete an item, as DeleteItem does; nothing happens if there is none."""
        identity = document_id(self.schema, key)
        item = self._items.pop(identity, None)
        if item is not None:
            self._record("REMOVE", identity, item)

    def items(self) -> dict[str, dict[str, Any]]:
        """Every item, by the id its document would have."""
        return dict(self._items)

    def records(self) -> list[dict[str, Any]]:
        """Every stream record ever made, oldest first."""
        every = [record for shard in self._shards for record in shard.records]
        return sorted(every, key=lambda record: int(record["dynamodb"]["SequenceNumber"]))

    def split(self, shard_id: str, children: int = 2) -> list[str]:
        """Close a shard and open children of it; records go to a child by their key. Returns the children's ids."""
        parent = self._shard(shard_id)
        parent.closed = True
        count = len(self._shards)
        names = [f"shard-{count + position}" for position in range(children)]
        self._shards += [_Shard(name, shard_id, str(self._next_number)) for name in names]
        return names

    def trim(self, shard_id: str, records: int) -> None:
        """Forget the oldest records of a shard, as the stream does after 24 hours."""
        self._shard(shard_id).trimmed += records

    def forget_shard(self, shard_id: str) -> None:
        """Take a shard off the list, as the stream does some time after its last record is gone."""
        self._shards.remove(self._shard(shard_id))

    def expire_iterators(self) -> None:
        """Make every shard iterator handed out so far too old."""
        self._iterators += 1

    # The boto3 calls.

    def describe_table(self, **request: Any) -> dict[str, Any]:
        self._known(request["TableName"])
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
        self._known(request["TableName"])
        with self._lock:
            self._check_condition(document_id(self.schema, request["Item"]), request)
            self.put(request["Item"])
        return {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self._known(request["TableName"])
        identity = document_id(self.schema, request["Key"])
        with self._lock:
            self._check_condition(identity, request)
            old = self._items.get(identity)
            self.remove(request["Key"])
        return {"Attributes": old} if old else {}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        [(name, wanted)] = request["RequestItems"].items()
        self._known(name)
        ids = [document_id(self.schema, key) for key in wanted["Keys"]]
        if len(ids) > _MAX_KEYS:
            raise _client_error("ValidationException", f"Member must have length less than or equal to {_MAX_KEYS}")
        if len(set(ids)) < len(ids):
            raise _client_error("ValidationException", "Provided list of item keys contains duplicates")
        found = [self._items.get(identity) for identity in ids]
        return {"Responses": {name: [dict(item) for item in found if item]}, "UnprocessedKeys": {}}

    def scan(self, **request: Any) -> dict[str, Any]:
        self._known(request["TableName"])
        segments, segment = request.get("TotalSegments", 1), request.get("Segment", 0)
        mine = sorted(identity for identity in self._items if _slot(identity, segments) == segment)
        start = request.get("ExclusiveStartKey")
        rest = [i for i in mine if start is None or i > document_id(self.schema, start)]
        page = rest[: request.get("Limit", _MAX_ITEMS)]
        reply: dict[str, Any] = {"Items": [dict(self._items[identity]) for identity in page], "Count": len(page)}
        if page and (len(page) < len(rest) or len(page) == request.get("Limit")):
            # A scan that stops at its limit does not look whether anything follows.
            reply["LastEvaluatedKey"] = self.schema.key_of(self._items[page[-1]])
        return reply

    def describe_stream(self, **request: Any) -> dict[str, Any]:  # noqa: ARG002
        shards = []
        for shard in self._shards:
            bounds = {"StartingSequenceNumber": shard.starts_at}
            if shard.closed:
                bounds["EndingSequenceNumber"] = str(self._next_number)
            one = {"ShardId": shard.shard_id, "SequenceNumberRange": bounds}
            shards.append(one | ({"ParentShardId": shard.parent} if shard.parent else {}))
        return {"StreamDescription": {"StreamArn": self.stream_arn, "Shards": shards}}

    def get_shard_iterator(self, **request: Any) -> dict[str, Any]:
        shard = self._shard(request["ShardId"])
        position = {"TRIM_HORIZON": shard.trimmed, "LATEST": len(shard.records)}.get(request["ShardIteratorType"])
        if position is None:
            after = int(request["SequenceNumber"])
            position = sum(int(record["dynamodb"]["SequenceNumber"]) <= after for record in shard.records)
            if position < shard.trimmed:
                raise _client_error("TrimmedDataAccessException", "The requested data is past the trim horizon")
        return {"ShardIterator": f"{shard.shard_id}/{position}/{self._iterators}"}

    def get_records(self, **request: Any) -> dict[str, Any]:
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

    def _known(self, name: str) -> None:
        if name != self.name:
            raise _client_error("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def _slot(identity: str, slots: int) -> int:
    """A stable spread of ids over segments or shards (Python's own hash differs from run to run)."""
    return crc32(identity.encode()) % slots


def _client_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "InMemoryTable")
