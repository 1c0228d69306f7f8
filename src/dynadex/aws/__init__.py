"""Lambda handlers for a Sync, which also log and report metrics.

Examples:
    >>> from dynadex.aws import stream_handler
    >>> stream = stream_handler(sync)
"""

from __future__ import annotations

from dynadex.aws.handlers import (
    FunctionError,
    Handler,
    finish_handler,
    prepare_handler,
    refill_handler,
    search_handler,
    stream_handler,
)

__all__ = [
    "FunctionError",
    "Handler",
    "finish_handler",
    "prepare_handler",
    "refill_handler",
    "search_handler",
    "stream_handler",
]
