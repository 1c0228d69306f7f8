"""Reads one shard, in order, from where it was acknowledged up to."""

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
_MAX_ANEW = 10


class StreamTrimmedError(SourceError):
    """Records were forgotten (after 24 hours) before they were read: the index is stale."""


@dataclass(frozen=True, slots=True)
class Read:
    """Records in order, and whether the shard has ended with them."""

    records: Sequence[Record]
    ended: bool


def list_shards(streams: DynamoDBStreamsClient, stream_arn: str) -> list[Shard]:
    """Every shard the stream lists. Raises SourceError."""
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

    ``after`` is the sequence number last acknowledged, None for the shard's beginning. Iterators live for five
    minutes; an expired one is replaced by another at the same position.
    """

    def __init__(self, streams: DynamoDBStreamsClient, stream_arn: str, shard_id: str, after: str | None) -> None:
        self.shard_id = shard_id
        self._streams = streams
        self._stream_arn = stream_arn
        self._after = after
        self._iterator: str | None = None
        self._ended = False
        self._anew = 0

    def read(self, limit: int) -> Read:
        """The next records, none if there are none yet.

        Raises StreamTrimmedError when the position is past the 24 hours, SourceUnavailable when it may pass.
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
            if code == _TRIMMED and self._after is None and self._anew < _MAX_ANEW:
                # Trimmed since the iterator was handed out, at its first use even; what is left begins later. Whether
                # that leaves a gap, the time of whoever noted the shard tells.
                self._anew += 1
                self._iterator = None
                return self.read(limit)
            if code in (_TRIMMED, "ResourceNotFoundException"):
                raise StreamTrimmedError(
                    "go on reading shard", self.shard_id, "what followed the last checkpoint is no longer kept",
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
