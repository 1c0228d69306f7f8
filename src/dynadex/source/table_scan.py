"""Pages of a table scan, by consistent reads: an eventually consistent page can be older than its version states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.source.table import boto_key, translate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True)
class Page:
    """A page of items.

    Attributes:
        items: The items in typed JSON.
        requested_at_us: Time of the request, in microseconds since the epoch.
        last_evaluated_key: Position after which the next page starts; None after the last page.
        consumed_capacity: Read capacity units.
    """

    items: Sequence[Item]
    requested_at_us: int
    last_evaluated_key: Item | None
    consumed_capacity: float


class Pages(Protocol):
    """The source of a refill's items, page by page: a scan or an export."""

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        """Return the page after ``start_key``, the ``last_evaluated_key`` of the page before it; None for the first.

        ``limit`` is the maximum number of its items. Raises SourceError.
        """
        ...

    def close(self) -> None:
        """Release the resources of the source."""
        ...


class TableScan:
    """A scan of one segment of a table."""

    def __init__(
        self, client: DynamoDBClient, table: str, clock: Clock, *, segment: int = 0, total_segments: int = 1
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._segment: dict[str, Any] = {}
        if total_segments > 1:
            self._segment = {"Segment": segment, "TotalSegments": total_segments}

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        """See `Pages.page`. Raises SourceError, or SourceUnavailable if DynamoDB throttles."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
            **self._segment,
        }
        if start_key:
            request["ExclusiveStartKey"] = boto_key(start_key)
        if limit:
            request["Limit"] = limit
        requested_at_us = self._clock.now_us()
        try:
            reply = self._client.scan(**request)
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "scan table", self._table) from error
        consumed = reply.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        return Page(reply["Items"], requested_at_us, reply.get("LastEvaluatedKey"), consumed)

    def close(self) -> None:
        """Do nothing: a scan holds no resources."""
