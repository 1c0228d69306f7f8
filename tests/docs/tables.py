"""The tables of the documents, and their Syncs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynadex import Sync
from dynadex.demo.demo import create_table
from dynadex.demo.lessons import sync as lessons_sync
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.document.typed_json import typed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SONGS = 60
ORDERS = 1_000
_BATCH = 25
RAKES: Final = {"id": "rakes", "title": "The Rakes of Mallow", "form": "Reel", "key": "G major"}
# Modules in each folder, until a document replaces their content.
MODULES: Final = {
    "songs.py": 'from dynadex import Sync\n\nsync = Sync(table="songs", index="songs", mappings={"properties": '
    '{"title": {"type": "text"}, "key": {"type": "keyword"}}})\n',
    "lessons.py": 'from dynadex.demo.lessons import sync\n\n__all__ = ["sync"]\n',
}
SYNCS: Final = {
    "songs": Sync(table="songs", index="songs", mappings={"properties": {"title": {"type": "text"}}}),
    "lessons": lessons_sync,
}


def create_tables(dynamodb: DynamoDBClient) -> None:
    """Each with a stream and its items."""
    for table in ("songs", "lessons", "orders"):
        create_table(dynamodb, table)
    for table in SYNCS:
        load(dynamodb, table, [*lessons(SONGS), RAKES], lambda _: None)
    for start in range(0, ORDERS, _BATCH):
        requests: Any = [
            {"PutRequest": {"Item": typed(_order(number))["M"]}} for number in range(start, start + _BATCH)
        ]
        dynamodb.batch_write_item(RequestItems={"orders": requests})


def _order(number: int) -> dict[str, Any]:
    """A price that is not always a number, a map whose names are data."""
    return {
        "id": str(number),
        "title": f"{('Old', 'New', 'Long')[number % 3]} harbour print, no. {number}",
        "price": number % 90 if number % 41 else "on request",
        "stock": {f"shelf {number % 300}": 1},
        "status": ("open", "sent", "returned")[number % 3],
    }
