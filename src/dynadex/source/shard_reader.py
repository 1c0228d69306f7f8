"""Reads one shard in order, from the position after its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.errors import SourceError
from dynadex.source.shards import Shard, shards_of
from dynadex.source.stream_event import Record
from dynadex.source.table import translate

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient


_TRIMMED = "TrimmedDataAccessException"
_MAX_RESTARTS = 10


class StreamTrimmedError(SourceError):
    """Records were trimmed, after 24 hours, before they were read: the index is stale."""


@dataclass(frozen=True, slots=True)
class Read:
    """Records in order, and whether they are the last of the shard."""

    records: Sequence[Record]
    ended: bool


def list_shards(streams: DynamoDBStreamsClient, stream_arn: str) -> list[Shard]:
    """Return all shards of a stream. Raises SourceError."""
    shards: list[Shard] = []
    request: dict[str, Any] = {"StreamArn": stream_arn}
    while True:
        try:
            description = streams.describe_stream(**request)["StreamDescription"]
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "list the shards of", stream_arn) from error
        shards += shards_of(description)
        last = description.get("LastEvaluatedShardId")
        if not last:
            return shards
        request["ExclusiveStartShardId"] = last


class ShardReader:
    """A position in one shard.

    Iterators expire after five minutes; an expired one is replaced by another at the same position.

    Args:
        streams: boto3's client of DynamoDB Streams.
        stream_arn: ARN of the stream.
        shard_id: Id of the shard.
        after: Sequence number of the last acknowledged record; None for the start of the shard.
    """

    def __init__(self, streams: DynamoDBStreamsClient, stream_arn: str, shard_id: str, after: str | None) -> None:
        self.shard_id = shard_id
        self._streams = streams
        self._stream_arn = stream_arn
        self._after = after
        self._iterator: str | None = None
        self._ended = False
        self._restarts = 0

    def read(self, limit: int) -> Read:
        """Return the next records, at most ``limit``; none if there are none yet.

        Raises StreamTrimmedError if the position is older than 24 hours, SourceUnavailable if another attempt may
        succeed.
        """
        if self._ended:
            return Read((), True)
        try:
            return self._read(limit)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ExpiredIteratorException":
                self._iterator = None
                return self.read(limit)
            if code == _TRIMMED and self._after is None and self._restarts < _MAX_RESTARTS:
                # Records were trimmed after the iterator was issued, even if this is its first use; the shard now
                # starts later. Whether that is a gap depends on when the shard was first seen, which the caller knows.
                self._restarts += 1
                self._iterator = None
                return self.read(limit)
            if code in (_TRIMMED, "ResourceNotFoundException"):
                raise StreamTrimmedError(
                    "continue to read shard", self.shard_id, "the records after the last checkpoint were trimmed",
                    "Changes were lost: run `dynadex refill`, which brings the index up to date.",
                ) from error  # fmt: skip
            self._iterator = None
            raise translate(error, "read shard", self.shard_id) from error
        except BotoCoreError as error:
            self._iterator = None
            raise translate(error, "read shard", self.shard_id) from error

    def _read(self, limit: int) -> Read:
        if self._iterator is None:
            self._iterator = self._new_iterator()
        reply = self._streams.get_records(ShardIterator=self._iterator, Limit=limit)
        records: Sequence[Any] = reply["Records"]
        if records:
            self._after = records[-1]["dynamodb"]["SequenceNumber"]
        self._iterator = reply.get("NextShardIterator")
        self._ended = self._iterator is None
        return Read(records, self._ended)

    def _new_iterator(self) -> str:
        request: dict[str, Any] = {"StreamArn": self._stream_arn, "ShardId": self.shard_id}
        if self._after is None:
            request["ShardIteratorType"] = "TRIM_HORIZON"
        else:
            request |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._after}
        return self._streams.get_shard_iterator(**request)["ShardIterator"]
