"""State table: DynamoDB table next to the data that holds dynadex's own state, one partition per sync."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ParamValidationError

from dynadex.errors import DynadexError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION, SORT = "sync", "what"


# Error codes of statuses below 500 that are caused by load, not by the request.
_TRANSIENT = frozenset((
    "LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException",
))  # fmt: skip
_USABLE = ("ACTIVE", "UPDATING")
_SERVER_ERROR = 500
_NEVER_SENT = (NoCredentialsError, NoRegionError, ParamValidationError)


class StateError(DynadexError):
    """The state table cannot be read or written."""


class StateUnavailable(StateError):
    """The state table is unavailable; the same call may succeed later."""

    retryable = True


class StateTable:
    """Items of state by name (``checkpoint/SHARD``, ``lease``), in DynamoDB typed JSON. Methods raise StateError."""

    def __init__(self, client: DynamoDBClient, name: str, index: str) -> None:
        self.name = name
        self._client = client
        self._index = index

    def ensure(self) -> None:
        """Create the table with on-demand capacity unless it exists, and wait until it is active."""
        status = self._status()
        if status in _USABLE:
            return
        try:
            if status is None:
                self._create()
            self._client.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})
        except (ClientError, BotoCoreError) as error:
            raise self._failed("create", error) from error

    def exists(self) -> bool:
        """Return whether the table exists. It is created with the first state."""
        return self._status() is not None

    def get(self, name: str) -> dict[str, Any] | None:
        """Return an item of state (consistent read), or None."""
        try:
            reply = self._client.get_item(TableName=self.name, Key=self._key(name), ConsistentRead=True)
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", error) from error
        return reply.get("Item")

    def put(
        self, name: str, values: dict[str, Any], condition: str | None = None, parameters: dict[str, Any] | None = None
    ) -> bool:
        """Write an item of state. Returns False when ``condition`` does not hold."""
        return self._write(self._client.put_item, {"Item": self._key(name) | values}, condition, parameters)

    def delete(self, name: str, condition: str | None = None, parameters: dict[str, Any] | None = None) -> bool:
        """Delete an item of state. Returns False when ``condition`` does not hold."""
        return self._write(self._client.delete_item, {"Key": self._key(name)}, condition, parameters)

    def all(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return every item of state whose name starts with ``prefix``, by its full name."""
        try:
            pages = self._client.get_paginator("query").paginate(
                TableName=self.name,
                ConsistentRead=True,
                KeyConditionExpression="#p = :p AND begins_with(#s, :s)",
                ExpressionAttributeNames={"#p": PARTITION, "#s": SORT},
                ExpressionAttributeValues={":p": {"S": self._index}, ":s": {"S": prefix}},
            )
            return {item[SORT]["S"]: item for page in pages for item in page["Items"]}
        except (ClientError, BotoCoreError) as error:
            raise self._failed("read", error) from error

    def _status(self) -> str | None:
        """Return the table's status in AWS's terms, None when the table does not exist."""
        try:
            return self._client.describe_table(TableName=self.name)["Table"]["TableStatus"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise self._failed("find", error) from error
            return None
        except BotoCoreError as error:
            raise self._failed("find", error) from error

    def _write(
        self, call: Callable[..., Any], target: dict[str, Any], condition: str | None, parameters: dict[str, Any] | None
    ) -> bool:
        request: dict[str, Any] = {"TableName": self.name, **target}
        if condition:
            request |= {"ConditionExpression": condition}
        if parameters:
            request |= {"ExpressionAttributeValues": parameters}
        try:
            call(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise self._failed("write", error) from error
        except BotoCoreError as error:
            raise self._failed("write", error) from error
        return True

    def _create(self) -> None:
        try:
            self._client.create_table(
                TableName=self.name,
                KeySchema=[
                    {"AttributeName": PARTITION, "KeyType": "HASH"},
                    {"AttributeName": SORT, "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": PARTITION, "AttributeType": "S"},
                    {"AttributeName": SORT, "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
        except ClientError as error:
            # Another worker has created it at the same time.
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise

    def _key(self, name: str) -> dict[str, Any]:
        return {PARTITION: {"S": self._index}, SORT: {"S": name}}

    def _failed(self, operation: str, error: ClientError | BotoCoreError) -> StateError:
        operation = f"{operation} the state table"
        if _is_transient(error):
            return StateUnavailable(operation, self.name, str(error), "Check the endpoint and the network.")
        hint = "Grant this role access to the table, which holds the checkpoints, or set DYNADEX_STATE_TABLE."
        return StateError(operation, self.name, str(error), hint)


def _is_transient(error: ClientError | BotoCoreError) -> bool:
    """Return whether the same call may succeed later: there was no reply, a status of 500 or above, or overload."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= _SERVER_ERROR or error.response["Error"]["Code"] in _TRANSIENT
    return not isinstance(error, _NEVER_SENT)
