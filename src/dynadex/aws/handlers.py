"""Lambda handlers for a Sync.

Each handler connects at its first invocation and reuses its clients for the next. It logs JSON lines. Logs, metrics and
errors contain names, counts and dynadex's own reasons, but never the value of an item: an error that is not dynadex's
own is raised as `FunctionError`, without the message of its cause.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from dynadex.aws.observation import FunctionError, counts, observed, put_metrics

if TYPE_CHECKING:
    from dynadex.aws.connection import Connection
    from dynadex.runtime import Runtime
    from dynadex.sync import Sync

__all__ = [
    "FunctionError", "Handler", "finish_handler", "prepare_handler", "refill_handler", "search_handler",
    "stream_handler",
]  # fmt: skip

Handler = Callable[[Any, Any], dict[str, Any]]
"""A Lambda handler: a function of the event and the context that returns the response."""


def stream_handler(sync: Sync) -> Handler:
    """Create the handler for the table's stream.

    The event source mapping needs ``ReportBatchItemFailures``: the response contains the lowest sequence number that
    is not applied, from which Lambda retries. After each batch, the handler prints metrics in CloudWatch's embedded
    metric format.

    Args:
        sync: The Sync whose index is kept in step with its table.

    Returns:
        A handler that takes an event of DynamoDB Streams and returns ``{"batchItemFailures": [...]}``. It raises
        SearchError or SourceError if a backend rejects the batch as a whole, and FunctionError for any other error,
        such as an event that is not a stream event.
    """
    connected = _connected(sync)

    def stream(event: Any, context: Any) -> dict[str, Any]:
        from dynadex.aws import steps

        with observed("stream", sync, context) as outcome:
            connection = connected()
            runtime = connection.runtime(context)
            response, result = steps.stream(runtime, event, context)
            outcome.update(counts(result, connection.bulk_stats, time.time()))
            put_metrics(sync, outcome)
            return response

    return stream


def prepare_handler(sync: Sync) -> Handler:
    """Create the handler of the first state of a backfill.

    Args:
        sync: The Sync to backfill.

    Returns:
        A handler that takes the input of the execution: ``{}``, ``{"Segments": 4}`` to scan in 4 parallel segments, or
        ``{"Rebuild": true}`` to fill a new index. The input may also be the field ``Input``, next to the name of the
        ``Execution``. The handler creates the index, if necessary, and returns the plan, whose ``Slices`` contain the
        first event of each segment's loop. It raises SearchError if the existing index contradicts the declaration or
        another rebuild is not finished, SourceError if the table cannot be read, and FunctionError for any other error.
    """

    def step(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
        from dynadex.aws import steps

        return steps.prepare(runtime, event)

    return _refill_step("prepare", sync, step)


def refill_handler(sync: Sync) -> Handler:
    """Create the handler of one time-boxed slice of a backfill.

    Args:
        sync: The Sync to backfill.

    Returns:
        A handler that takes a first event (``{}`` or an element of the plan's ``Slices``) or the response of the
        previous slice. It scans until ``DYNADEX_REFILL_SLICE_SECONDS`` have passed or 30 seconds of the invocation are
        left, and returns ``{"LastEvaluatedKey": ..., ...}``, or ``{}`` if the scan is complete. It raises
        SearchUnavailable or SourceUnavailable if no page could be written, so that the slice can be repeated,
        SearchError or SourceError if a backend denies access, and FunctionError for any other error.
    """

    def step(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:
        from dynadex.aws import steps

        return steps.refill(runtime, event, context)

    return _refill_step("refill", sync, step)


def finish_handler(sync: Sync) -> Handler:
    """Create the handler of the last state of a backfill.

    Args:
        sync: The Sync to backfill.

    Returns:
        A handler that takes the plan that the first state returned, deletes orphans, and after a rebuild promotes the
        new index. It returns ``{}``. It raises SearchError if the new index is worse than the old one, SearchError or
        SourceError if a backend cannot be used, and FunctionError for any other error.
    """

    def step(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
        from dynadex.aws import steps

        return steps.finish(runtime, event)

    return _refill_step("finish", sync, step)


def search_handler(sync: Sync) -> Handler:
    """Create the handler of the HTTP service, for an API Gateway HTTP API (payload format 2.0).

    The API must authorize writes (IAM or JWT); a request that it did not authorize may only read.

    Args:
        sync: The Sync to search.

    Returns:
        A handler that takes an HTTP API event and returns its response. It raises SourceError if the table cannot be
        read at the first invocation, and FunctionError for any other error.
    """

    @cache
    def service() -> Handler:
        from dynadex.aws.http_service import http_service

        return http_service(sync)

    def search(event: Any, context: Any) -> dict[str, Any]:
        with observed("search", sync, context):
            return service()(event, context)

    return search


def _connected(sync: Sync) -> Callable[[], Connection]:
    """Return a function that creates the connection of one handler at its first call, so that imports stay fast."""

    @cache
    def connection() -> Connection:
        from dynadex.aws.connection import Connection

        return Connection(sync)

    return connection


def _refill_step(name: str, sync: Sync, step: Callable[[Runtime, Any, Any], dict[str, Any]]) -> Handler:
    """Create a handler that runs a step with the runtime, and logs the outcome."""
    connected = _connected(sync)

    def handler(event: Any, context: Any) -> dict[str, Any]:
        with observed(name, sync, context) as outcome:
            response = step(connected().runtime(context), event, context)
            outcome["MoreToScan"] = "LastEvaluatedKey" in response
            return response

    return handler
