"""Lambda handlers made from a Sync: one observed path for every function.

Each handler connects at its first invocation and keeps its clients for the next. It logs JSON lines, reports metrics
in CloudWatch's embedded metric format, and raises errors without the words of their cause: logs, metrics and errors
hold names, counts and dynadex's own reasons, never a value of an item.
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
"""A Lambda handler: takes the event and the context, returns the response."""


def stream_handler(sync: Sync) -> Handler:
    """Make the handler for the table's stream.

    The event source mapping needs ``ReportBatchItemFailures``: the response names the lowest sequence number that is
    not applied, from which Lambda retries.

    Args:
        sync: The Sync to keep in step.

    Returns:
        A handler that takes an event of DynamoDB Streams and returns ``{"batchItemFailures": [...]}``. It raises
        SearchError or SourceError when a backend refuses the batch as a whole, ValueError for an event that is not a
        stream event, and FunctionError for anything else.
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
    """Make the handler of a refill's first state.

    Args:
        sync: The Sync to refill.

    Returns:
        A handler that takes the execution's input (``{}``, ``{"Segments": 4}`` or ``{"Rebuild": true}``), or that as
        ``Input`` next to the name of the ``Execution``. It returns the plan, with the first event of each segment's
        loop in ``Slices``. It raises SearchError when the existing index contradicts the declaration.
    """

    def step(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
        from dynadex.aws import steps

        return steps.prepare(runtime, event)

    return _refill_step("prepare", sync, step)


def refill_handler(sync: Sync) -> Handler:
    """Make the handler for one time-boxed slice of a refill.

    Args:
        sync: The Sync to refill.

    Returns:
        A handler that takes ``{}`` or the response of the previous slice, scans for four minutes or until 30 seconds
        of the invocation are left, and returns ``{"LastEvaluatedKey": ...}``, or ``{}`` when the scan is complete. It
        raises SearchUnavailable or SourceUnavailable when no page could be written; the slice can be repeated.
    """

    def step(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:
        from dynadex.aws import steps

        return steps.refill(runtime, event, context)

    return _refill_step("refill", sync, step)


def finish_handler(sync: Sync) -> Handler:
    """Make the handler of a refill's last state.

    Args:
        sync: The Sync to refill.

    Returns:
        A handler that takes the plan that ``prepare`` returned, sweeps documents without an item, and promotes a
        rebuilt index. It returns ``{}`` and raises SearchError when the new index is worse than the old one.
    """

    def step(runtime: Runtime, event: Any, context: Any) -> dict[str, Any]:  # noqa: ARG001
        from dynadex.aws import steps

        return steps.finish(runtime, event)

    return _refill_step("finish", sync, step)


def search_handler(sync: Sync) -> Handler:
    """Make the handler of the HTTP service behind an HTTP API (payload format 2.0).

    Args:
        sync: The Sync to search.

    Returns:
        A handler that takes an HTTP API event and returns its response.
    """

    @cache
    def service() -> Handler:
        from dynadex.aws.connection import http_service

        return http_service(sync)

    def search(event: Any, context: Any) -> dict[str, Any]:
        with observed("search", sync, context):
            return service()(event, context)

    return search


def _connected(sync: Sync) -> Callable[[], Connection]:
    """The connection of one handler, made when it is first needed: an import stays light."""

    @cache
    def connection() -> Connection:
        from dynadex.aws.connection import Connection

        return Connection(sync)

    return connection


def _refill_step(name: str, sync: Sync, step: Callable[[Runtime, Any, Any], dict[str, Any]]) -> Handler:
    connected = _connected(sync)

    def handler(event: Any, context: Any) -> dict[str, Any]:
        with observed(name, sync, context) as outcome:
            response = step(connected().runtime(context), event, context)
            outcome["MoreToScan"] = "LastEvaluatedKey" in response
            return response

    return handler
