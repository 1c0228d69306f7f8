"""A Lambda function behind the semantics of AWS's event source mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dynadex.source.stream_event import Record
from dynadex.worker.event_source_mapping import Handler


def lambda_handler(function: Callable[[dict[str, Any], Any], Any], context: Callable[[], Any]) -> Handler:
    """Adapt a Lambda function to a handler, reading its partial batch response as AWS does."""

    def handle(records: Sequence[Record]) -> Sequence[str]:
        reply = function({"Records": list(records)}, context())
        failures = (reply or {}).get("batchItemFailures") or []
        numbers = [failure.get("itemIdentifier") for failure in failures]
        # A failure without a usable identifier makes the whole batch a failure.
        return [number if number else "0" for number in numbers]

    return handle
