"""Sample of a table: items from several parts of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynadex.change import Item
from dynadex.clock import SystemClock
from dynadex.source.table import Table, TableDescription
from dynadex.source.table_scan import TableScan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Items read from several segments are more varied than as many from the start of a single scan.
_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A table and some of its items; ``whole`` if they are all of its items."""

    table: TableDescription
    items: tuple[Item, ...]
    whole: bool


def take(client: DynamoDBClient, table: str, max_items: int, stopped: Callable[[], bool] = lambda: False) -> Sample:
    """Read up to ``max_items`` items, consistently; fewer if ``stopped`` returns True during the scan.

    Consumes about one unit of read capacity for each 4 KB.

    Raises:
        SourceError: The table does not exist or cannot be read.
    """
    clock = SystemClock()
    description = Table(client, table, clock).describe()
    scans = [TableScan(client, table, clock, segment=segment, total_segments=_SEGMENTS) for segment in range(_SEGMENTS)]
    unfinished: list[tuple[TableScan, Item | None]] = [(scan, None) for scan in scans]
    items: list[Item] = []
    while unfinished and len(items) < max_items and not stopped():
        share = -(-(max_items - len(items)) // len(unfinished))
        still_unfinished: list[tuple[TableScan, Item | None]] = []
        for scan, start in unfinished:
            if len(items) >= max_items or stopped():
                still_unfinished.append((scan, start))
                continue
            page = scan.page(start, min(share, max_items - len(items)))
            items += page.items
            if page.last_evaluated_key:
                still_unfinished.append((scan, page.last_evaluated_key))
        unfinished = still_unfinished
    return Sample(description, tuple(items), whole=not unfinished)
