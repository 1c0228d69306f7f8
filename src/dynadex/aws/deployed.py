"""Entry points of the functions that the CDK app deploys, such as ``dynadex.aws.deployed.stream``.

The environment variable ``DYNADEX_SYNC`` names the Sync as module:attribute. ``DYNADEX_OPENSEARCH_ENDPOINT`` is the
endpoint of a domain, a host without a scheme; ``OPENSEARCH_URL`` takes precedence over it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from dynadex.aws import handlers
from dynadex.errors import DeclarationError
from dynadex.settings import is_loopback

if TYPE_CHECKING:
    from dynadex.aws.handlers import Handler
    from dynadex.sync import Sync

SYNC_VARIABLE = "DYNADEX_SYNC"
ENDPOINT_VARIABLE = "DYNADEX_OPENSEARCH_ENDPOINT"


def stream(event: Any, context: Any) -> dict[str, Any]:
    """Apply a batch of stream records; see `dynadex.aws.stream_handler`.

    Args:
        event: An event of DynamoDB Streams.
        context: The Lambda context.

    Returns:
        ``{"batchItemFailures": [...]}``, with the lowest sequence number that is not applied.

    Raises:
        DeclarationError: ``DYNADEX_SYNC`` is not set or not valid.
        SearchError: The search cluster rejects the batch as a whole.
        SourceError: The table cannot be read.
        FunctionError: Any other error occurred. Its message is left out.
    """
    return _handler(handlers.stream_handler)(event, context)


def prepare(event: Any, context: Any) -> dict[str, Any]:
    """Plan a backfill; see `dynadex.aws.prepare_handler`.

    Args:
        event: ``{}``, ``{"Segments": 4}`` or ``{"Rebuild": true}``, or that as ``Input`` next to the ``Execution``.
        context: The Lambda context.

    Returns:
        The plan, with the first event of each segment in ``Slices``.

    Raises:
        DeclarationError: ``DYNADEX_SYNC`` is not set or not valid.
        SearchError: The index contradicts the declaration, or another rebuild is not finished.
        SourceError: The table cannot be read.
        FunctionError: Any other error occurred. Its message is left out.
    """
    return _handler(handlers.prepare_handler)(event, context)


def refill(event: Any, context: Any) -> dict[str, Any]:
    """Run one slice of a backfill; see `dynadex.aws.refill_handler`.

    Args:
        event: ``{}``, an element of ``Slices``, or the response of the previous slice.
        context: The Lambda context.

    Returns:
        The event of the next slice, with ``LastEvaluatedKey``; ``{}`` at the end of the scan.

    Raises:
        DeclarationError: ``DYNADEX_SYNC`` is not set or not valid.
        SearchError: The search cluster cannot be used. If it is SearchUnavailable, the slice can be repeated.
        SourceError: The table cannot be read. If it is SourceUnavailable, the slice can be repeated.
        FunctionError: Any other error occurred. Its message is left out.
    """
    return _handler(handlers.refill_handler)(event, context)


def finish(event: Any, context: Any) -> dict[str, Any]:
    """Finish a backfill; see `dynadex.aws.finish_handler`.

    Args:
        event: The plan that `prepare` returned.
        context: The Lambda context.

    Returns:
        ``{}``.

    Raises:
        DeclarationError: ``DYNADEX_SYNC`` is not set or not valid.
        SearchError: The new index of a rebuild is worse than the old one, or the search cluster cannot be used.
        SourceError: The table cannot be read.
        FunctionError: Any other error occurred. Its message is left out.
    """
    return _handler(handlers.finish_handler)(event, context)


def search(event: Any, context: Any) -> dict[str, Any]:
    """Respond to an HTTP request; see `dynadex.aws.search_handler`.

    Args:
        event: An event of an API Gateway HTTP API (payload format 2.0).
        context: The Lambda context.

    Returns:
        The response for API Gateway.

    Raises:
        DeclarationError: ``DYNADEX_SYNC`` is not set or not valid.
        SourceError: The table cannot be read at the first invocation.
        FunctionError: Any other error occurred. Its message is left out.
    """
    return _handler(handlers.search_handler)(event, context)


@cache
def declared() -> Sync:
    """Return the Sync that ``DYNADEX_SYNC`` names. Raises DeclarationError if it is not set or not valid."""
    from dynadex.sync import load_sync

    reference = os.environ.get(SYNC_VARIABLE, "")
    if not reference:
        raise DeclarationError("use the setting", SYNC_VARIABLE, "it is not set", "Set it to module:attribute.")
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if endpoint:
        os.environ.setdefault("OPENSEARCH_URL", url_of(endpoint))
    return load_sync(reference)


def url_of(endpoint: str) -> str:
    """Return the URL of a domain's endpoint: HTTPS, unless the host is a loopback address."""
    plain = f"http://{endpoint}"
    return plain if is_loopback(plain) else f"https://{endpoint}"


@cache
def _handler(make: Callable[[Sync], Handler]) -> Handler:
    return make(declared())
