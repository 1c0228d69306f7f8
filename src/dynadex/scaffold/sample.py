"""A few items of a table, from all over it."""

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

# A scan begins at one end of the table: so many parts of it, each a bit, show more kinds of items.
_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """A table and some of its items; ``whole`` when they are all of them."""

    table: TableDescription
    items: tuple[Item, ...]
    whole: bool


def take(client: DynamoDBClient, table: str, most: int, stopped: Callable[[], bool] = lambda: False) -> Sample:
    """Up to ``most`` items, read consistently; fewer when ``stopped`` says so. Raises SourceError.

    Costs their read capacity, about one unit for each 4 KB.
    """
    clock = SystemClock()
    description = Table(client, table, clock).describe()
    scans = [TableScan(client, table, clock, segment=segment, total_segments=_SEGMENTS) for segment in range(_SEGMENTS)]
    pages: list[tuple[TableScan, Item | None]] = [(scan, None) for scan in scans]
    items: list[Item] = []
    while pages and len(items) < most and not stopped():
        share = -(-(most - len(items)) // len(pages))
        more = []
        for scan, start in pages:
            if len(items) >= most or stopped():
                more.append((scan, start))
                continue
            page = scan.page(start, min(share, most - len(items)))
            items += page.items
            if page.last_evaluated_key:
                more.append((scan, page.last_evaluated_key))
        pages = more
    return Sample(description, tuple(items), whole=not pages)
