"""Pages of a table scan. Consistent reads: an eventually consistent page can be older than its version would say."""

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
    """Items of one page, when it was requested (microseconds since the epoch), and where the next one starts."""

    items: Sequence[Item]
    requested_at_us: int
    last_evaluated_key: Item | None
    consumed_capacity: float


class Pages(Protocol):
    """Where a refill takes items from, a page at a time: a scan, or an export."""

    def page(self, start_key: Mapping[str, Any] | None, limit: int | None = None) -> Page:
        """The page after ``start_key`` (the last page's ``last_evaluated_key``), the first for None.

        ``limit`` bounds its items. Raises SourceError.
        """
        ...

    def close(self) -> None:
        """No more pages are wanted."""
        ...


class TableScan:
    """Scans one segment of a table."""

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
        """The page after ``start_key``, the first for None. Raises SourceError, SourceUnavailable when throttled."""
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
        """Nothing is held open."""
