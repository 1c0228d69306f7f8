"""Write lessons to a table in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dynadex.clock import Clock, SystemClock
from dynadex.document.typed_json import typed
from dynadex.errors import SourceUnavailable
from dynadex.retry import Backoff
from dynadex.source.table import translate

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The limit of BatchWriteItem.
_MAX_ITEMS = 25
_ATTEMPTS = 8


def load(
    client: DynamoDBClient,
    table: str,
    lessons: Iterable[dict[str, Any]],
    on_progress: Callable[[int], None],
    clock: Clock | None = None,
) -> int:
    """Write the lessons and return how many were written. ``on_progress`` takes the number after each batch.

    Raises SourceError, or SourceUnavailable if the table is still throttled after several attempts.
    """
    written = 0
    for batch in _batches(lessons):
        _write(client, table, batch, clock or SystemClock())
        written += len(batch)
        on_progress(written)
    return written


def _write(client: DynamoDBClient, table: str, batch: Sequence[dict[str, Any]], clock: Clock) -> None:
    backoff = Backoff()
    pending: Any = {table: [{"PutRequest": {"Item": typed(lesson)["M"]}} for lesson in batch]}
    for attempt in range(_ATTEMPTS):
        try:
            pending = client.batch_write_item(RequestItems=pending).get("UnprocessedItems")
        except (ClientError, BotoCoreError) as error:
            raise translate(error, "write items of table", table) from error
        if not pending:
            return
        clock.sleep(backoff.pause(attempt))
    raise SourceUnavailable("write items of table", table, f"still throttled after {_ATTEMPTS} attempts")


def _batches(lessons: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(lessons)
    while batch := list(islice(rest, _MAX_ITEMS)):
        yield batch
