"""The table itself: what it looks like, and single items read and written consistently."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.change import AttributeValue, Item
from dynadex.clock import Clock, SystemClock
from dynadex.document.identity import KeySchema, canonical_number
from dynadex.document.typed_json import binary
from dynadex.errors import SourceError, SourceUnavailable
from dynadex.retry import Backoff

if TYPE_CHECKING:
    from botocore.client import ClientMeta
    from mypy_boto3_dynamodb import DynamoDBClient

# BatchGetItem takes no more keys than this at once.
_MAX_KEYS = 100
_ATTEMPTS = 8
_USABLE_VIEWS = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
_PASSING = frozenset((
    "InternalServerError", "LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ServiceUnavailable", "ServiceUnavailableException", "ThrottlingException", "InternalFailure", "500", "502", "503",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableDescription:
    """What dynadex needs to know of a table. ``item_count`` is DynamoDB's estimate, up to six hours old."""

    name: str
    schema: KeySchema
    stream_arn: str | None
    stream_view: str | None
    item_count: int

    def usable_stream(self) -> str:
        """The ARN of the stream. Raises SourceError when there is none, or one without new images."""
        if not self.stream_arn:
            raise SourceError(
                "follow the stream of table", self.name, "the table has no stream",
                f"Enable one: aws dynamodb update-table --table-name {self.name} "
                "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES.",
            )  # fmt: skip
        if self.stream_view not in _USABLE_VIEWS:
            raise SourceError(
                "follow the stream of table", self.name, f"its stream shows {self.stream_view}, without new images",
                "Disable the stream and enable it again with StreamViewType=NEW_AND_OLD_IMAGES.",
            )  # fmt: skip
        return self.stream_arn


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold, at the moment of a write, of the item that is there: DynamoDB's own condition expression."""

    expression: str
    names: Mapping[str, str]
    values: Mapping[str, AttributeValue] = field(default_factory=dict)

    @classmethod
    def absent(cls, key: str) -> Condition:
        """There is no item; ``key`` names any of the table's key attributes."""
        return cls("attribute_not_exists(#k)", {"#k": key})

    @classmethod
    def version(cls, key: str, attribute: str, version: int) -> Condition:
        """There is an item whose number ``attribute`` is this; one without the attribute counts as version 0."""
        if version:
            return cls("#v = :v", {"#v": attribute}, {":v": {"N": str(version)}})
        expression = "attribute_exists(#k) AND (attribute_not_exists(#v) OR #v = :v)"
        return cls(expression, {"#k": key, "#v": attribute}, {":v": {"N": "0"}})

    def as_request(self) -> dict[str, Any]:
        """The parameters of a request, with the wish to be told the item that made it fail."""
        request: dict[str, Any] = {
            "ConditionExpression": self.expression,
            "ExpressionAttributeNames": dict(self.names),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return request | ({"ExpressionAttributeValues": dict(self.values)} if self.values else {})


class ConditionFailed(SourceError):
    """A write whose condition did not hold: nothing was changed. ``current`` is the item that is there, if any."""

    def __init__(self, operation: str, subject: str, current: Item | None) -> None:
        super().__init__(operation, subject, "the item that is there is not the one expected")
        self.current = current


class Table:
    """A DynamoDB table, by name. Each call raises SourceError, or SourceUnavailable when it may pass."""

    def __init__(self, client: DynamoDBClient, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self._client = client
        self._clock = clock or SystemClock()
        self._backoff = Backoff()

    def describe(self) -> TableDescription:
        """Key schema, stream and size of the table."""
        try:
            found: Mapping[str, Any] = self._client.describe_table(TableName=self.name)["Table"]
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "describe table", self.name, self._client.meta) from error
        types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
        # HASH sorts before RANGE: the partition key comes first.
        names = [one["AttributeName"] for one in sorted(found["KeySchema"], key=lambda one: one["KeyType"])]
        stream = found.get("StreamSpecification") or {}
        enabled = bool(stream.get("StreamEnabled"))
        return TableDescription(
            name=self.name,
            schema=KeySchema(tuple(names), tuple(types[name] for name in names)),
            stream_arn=found.get("LatestStreamArn") if enabled else None,
            stream_view=stream.get("StreamViewType") if enabled else None,
            item_count=int(found.get("ItemCount", 0)),
        )

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items with these keys as they are now (consistent reads), None for each that does not exist."""
        found: dict[frozenset[Any], Item] = {}
        names = list(keys[0]) if keys else []
        # DynamoDB refuses a batch that names a key twice.
        distinct = list({_hashable(key): key for key in keys}.values())
        for start in range(0, len(distinct), _MAX_KEYS):
            for item in self._read_batch(distinct[start : start + _MAX_KEYS]):
                found[_hashable({name: item[name] for name in names})] = item
        return [found.get(_hashable(key)) for key in keys]

    def has_items(self) -> bool:
        """Whether there is any item now; the count that DynamoDB tells is up to six hours old."""
        request: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True, "Limit": 1}
        while True:
            try:
                reply = self._client.scan(**request)
            except (ClientError, BotoCoreError) as error:
                raise translate(error, "look for items of table", self.name) from error
            if reply["Items"] or "LastEvaluatedKey" not in reply:
                return bool(reply["Items"])
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item, replacing what was there. Raises ConditionFailed when ``condition`` does not hold."""
        guard = condition.as_request() if condition else {}
        try:
            self._client.put_item(TableName=self.name, Item=dict(item), **guard)
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "write an item of table", self.name) from error

    def delete(self, key: Item, condition: Condition | None = None) -> bool:
        """Delete one item; False when there was none. Raises ConditionFailed when ``condition`` does not hold."""
        guard = condition.as_request() if condition else {}
        try:
            reply = self._client.delete_item(TableName=self.name, Key=boto_key(key), ReturnValues="ALL_OLD", **guard)
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "delete an item of table", self.name) from error
        return bool(reply.get("Attributes"))

    def _read_batch(self, keys: Sequence[Item]) -> list[Item]:
        items: list[Item] = []
        pending: Any = {self.name: {"Keys": [boto_key(key) for key in keys], "ConsistentRead": True}}
        for attempt in range(_ATTEMPTS):
            try:
                reply = self._client.batch_get_item(RequestItems=pending)
            except (ClientError, BotoCoreError) as error:
                raise translate(error, "read items of table", self.name) from error
            items += reply["Responses"].get(self.name, [])
            pending = reply.get("UnprocessedKeys")
            if not pending:
                return items
            self._clock.sleep(self._backoff.pause(attempt))
        raise SourceUnavailable("read items of table", self.name, f"still throttled after {_ATTEMPTS} attempts")


def translate(
    error: ClientError | BotoCoreError, operation: str, subject: str, meta: ClientMeta | None = None
) -> SourceError:
    """A boto error as one of ours: it may pass, or it says what to fix; ``meta``, of the client, where it was asked."""
    if not isinstance(error, ClientError):
        if type(error).__name__ in ("NoCredentialsError", "NoRegionError"):
            return SourceError(operation, subject, str(error), "Set up AWS credentials and AWS_REGION.")
        if type(error).__name__ == "ParamValidationError":
            return SourceError(operation, subject, str(error))
        return SourceUnavailable(operation, subject, str(error), "Check the endpoint and the network.")
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "") or code
    if code in _PASSING:
        return SourceUnavailable(operation, subject, message)
    if code == "ConditionalCheckFailedException":
        # The types of boto know of it where the operation is known; here it may be any.
        answer: Mapping[str, Any] = error.response
        return ConditionFailed(operation, subject, answer.get("Item"))
    if code == "ResourceNotFoundException":
        where = f" in {meta.region_name}, at {meta.endpoint_url}" if meta else ""
        return SourceError(
            operation, subject, f"it does not exist{where} ({message})",
            "Check the name, AWS_REGION, and the endpoint (`--dynamodb`).",
        )  # fmt: skip
    if code in ("AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"):
        return SourceError(operation, subject, message, "Check the credentials and the rights of this role.")
    return SourceError(operation, subject, f"{code}: {message}")


def boto_key(key: Item) -> dict[str, Any]:
    """A key as boto3 takes it: binary as bytes, where a Lambda event or a dead letter has base64 text."""
    return {
        name: {"B": b64decode(value["B"])} if isinstance(value.get("B"), str) else dict(value)
        for name, value in key.items()
    }


def _hashable(key: Item) -> frozenset[Any]:
    """A key to look an item up by; numbers come back in DynamoDB's spelling, so they are compared by value."""
    parts = []
    for name, value in key.items():
        [(kind, content)] = value.items()
        parts.append((name, kind, canonical_number(content) if kind == "N" else binary(content)))
    return frozenset(parts)
