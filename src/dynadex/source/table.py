"""The table: its description, and consistent reads and conditional writes of single items."""

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

# The maximum number of keys in a BatchGetItem request.
_MAX_KEYS = 100
_ATTEMPTS = 8
_USABLE_VIEWS = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
_RETRYABLE = frozenset((
    "InternalServerError", "LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
    "ServiceUnavailable", "ServiceUnavailableException", "ThrottlingException", "InternalFailure", "500", "502", "503",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableDescription:
    """The properties of a table that dynadex needs. ``item_count`` is an estimate that is up to six hours old."""

    name: str
    schema: KeySchema
    stream_arn: str | None
    stream_view: str | None
    item_count: int

    def usable_stream(self) -> str:
        """Return the ARN of the stream. Raises SourceError if there is none, or if it has no new images."""
        if not self.stream_arn:
            raise SourceError(
                "follow the stream of table", self.name, "the table has no stream",
                f"Enable one: {enable_stream_command(self.name)}.",
            )  # fmt: skip
        if self.stream_view not in _USABLE_VIEWS:
            raise SourceError(
                "follow the stream of table", self.name, f"its view type is {self.stream_view}, without new images",
                "Disable the stream and enable it again with StreamViewType=NEW_AND_OLD_IMAGES.",
            )  # fmt: skip
        return self.stream_arn


def enable_stream_command(table: str, options: str = "") -> str:
    """Return the command that enables a stream with new images; ``options`` are more options of the AWS CLI."""
    specification = "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    return f"aws dynamodb update-table --table-name {table}{options} {specification}"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the existing item, checked by DynamoDB in the same operation as a write."""

    expression: str
    names: Mapping[str, str]
    values: Mapping[str, AttributeValue] = field(default_factory=dict)

    @classmethod
    def absent(cls, key: str) -> Condition:
        """No item exists; ``key`` is the name of any key attribute of the table."""
        return cls("attribute_not_exists(#k)", {"#k": key})

    @classmethod
    def version(cls, key: str, attribute: str, version: int) -> Condition:
        """An item exists whose number ``attribute`` is ``version``; without the attribute, it counts as version 0."""
        if version:
            return cls("#v = :v", {"#v": attribute}, {":v": {"N": str(version)}})
        expression = "attribute_exists(#k) AND (attribute_not_exists(#v) OR #v = :v)"
        return cls(expression, {"#k": key, "#v": attribute}, {":v": {"N": "0"}})

    def as_request(self) -> dict[str, Any]:
        """Return the parameters of the write; on failure, the response contains the existing item."""
        request: dict[str, Any] = {
            "ConditionExpression": self.expression,
            "ExpressionAttributeNames": dict(self.names),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return request | ({"ExpressionAttributeValues": dict(self.values)} if self.values else {})


class ConditionFailed(SourceError):
    """The condition of a write was not met, and nothing was written. ``current`` is the existing item, if any."""

    def __init__(self, operation: str, subject: str, current: Item | None) -> None:
        super().__init__(operation, subject, "the existing item is not the expected one")
        self.current = current


class Table:
    """A DynamoDB table. Every method may raise SourceError, or SourceUnavailable if another attempt may succeed."""

    def __init__(self, client: DynamoDBClient, name: str, clock: Clock | None = None) -> None:
        self.name = name
        self._client = client
        self._clock = clock or SystemClock()
        self._backoff = Backoff()

    def describe(self) -> TableDescription:
        """Return key schema, stream and size of the table."""
        try:
            table: Mapping[str, Any] = self._client.describe_table(TableName=self.name)["Table"]
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "describe table", self.name, self._client.meta) from error
        types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]}
        # HASH sorts before RANGE: the partition key comes first.
        names = [key["AttributeName"] for key in sorted(table["KeySchema"], key=lambda key: key["KeyType"])]
        stream = table.get("StreamSpecification") or {}
        enabled = bool(stream.get("StreamEnabled"))
        return TableDescription(
            name=self.name,
            schema=KeySchema(tuple(names), tuple(types[name] for name in names)),
            stream_arn=table.get("LatestStreamArn") if enabled else None,
            stream_view=stream.get("StreamViewType") if enabled else None,
            item_count=int(table.get("ItemCount", 0)),
        )

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """Return the current items with these keys (consistent reads), None for each that does not exist."""
        items: dict[frozenset[Any], Item] = {}
        names = list(keys[0]) if keys else []
        # DynamoDB rejects a batch that contains a key twice.
        distinct = list({_hashable(key): key for key in keys}.values())
        for start in range(0, len(distinct), _MAX_KEYS):
            for item in self._read_batch(distinct[start : start + _MAX_KEYS]):
                items[_hashable({name: item[name] for name in names})] = item
        return [items.get(_hashable(key)) for key in keys]

    def has_items(self) -> bool:
        """Return whether the table has items. The count in its description is up to six hours old."""
        request: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True, "Limit": 1}
        while True:
            try:
                reply = self._client.scan(**request)
            except (ClientError, BotoCoreError) as error:
                raise translate(error, "find items of table", self.name) from error
            if reply["Items"] or "LastEvaluatedKey" not in reply:
                return bool(reply["Items"])
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write an item, and replace an existing one. Raises ConditionFailed if ``condition`` is not met."""
        guard = condition.as_request() if condition else {}
        try:
            self._client.put_item(TableName=self.name, Item=dict(item), **guard)
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "write an item of table", self.name) from error

    def delete(self, key: Item, condition: Condition | None = None) -> bool:
        """Delete an item; return False if there was none. Raises ConditionFailed if ``condition`` is not met."""
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
    """Return a boto error as a SourceUnavailable, or as a SourceError with a remedy.

    With ``meta`` of the client, the error of a missing table names the region and the endpoint.
    """
    if not isinstance(error, ClientError):
        if type(error).__name__ in ("NoCredentialsError", "NoRegionError"):
            return SourceError(operation, subject, str(error), "Configure AWS credentials, and set AWS_REGION.")
        if type(error).__name__ == "ParamValidationError":
            return SourceError(operation, subject, str(error))
        return SourceUnavailable(operation, subject, str(error), "Check the endpoint and the network.")
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "") or code
    if code in _RETRYABLE:
        return SourceUnavailable(operation, subject, message)
    if code == "ConditionalCheckFailedException":
        # boto's types have this field only for known operations.
        response: Mapping[str, Any] = error.response
        return ConditionFailed(operation, subject, response.get("Item"))
    if code == "ResourceNotFoundException":
        where = f" in {meta.region_name}, at {meta.endpoint_url}" if meta else ""
        return SourceError(
            operation, subject, f"it does not exist{where} ({message})",
            "Check the name, AWS_REGION, and the endpoint (`--dynamodb`).",
        )  # fmt: skip
    if code in ("AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"):
        return SourceError(operation, subject, message, "Check the AWS credentials and the permissions of this role.")
    return SourceError(operation, subject, f"{code}: {message}")


def boto_key(key: Item) -> dict[str, Any]:
    """Return a key in the form of boto3: binary as bytes, which is base64 text in Lambda events and dead letters."""
    return {
        name: {"B": b64decode(value["B"])} if isinstance(value.get("B"), str) else dict(value)
        for name, value in key.items()
    }


def _hashable(key: Item) -> frozenset[Any]:
    """A hashable form of a key. Numbers are canonical, because DynamoDB returns them in its own notation."""
    parts = []
    for name, value in key.items():
        [(kind, content)] = value.items()
        parts.append((name, kind, canonical_number(content) if kind == "N" else binary(content)))
    return frozenset(parts)
