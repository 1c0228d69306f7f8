"""Logs and metrics of a Lambda invocation, without any value of an item."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from dynadex.errors import DynadexError

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from dynadex.index.results import ApplyResult, BulkStats
    from dynadex.sync import Sync

NAMESPACE = SERVICE = "dynadex"


class FunctionError(RuntimeError):
    """An error that is not dynadex's own, without its message, which may contain a value of an item.

    Its text is the type of the cause and the file and line where it was raised.
    """


@contextmanager
def observed(name: str, sync: Sync, context: Any) -> Iterator[dict[str, Any]]:
    """Log the outcome of an invocation, with the fields that the block puts into the yielded dict.

    Raises FunctionError in place of any error that is not dynadex's own.
    """
    outcome: dict[str, Any] = {}
    logger = _logger()
    fields = {**dimensions(sync), "request": getattr(context, "aws_request_id", "")}
    began = time.perf_counter()
    try:
        yield outcome
    except DynadexError as error:
        logger.error(str(error), extra={**fields, "kind": type(error).__name__, "retryable": error.retryable})
        raise
    except Exception as error:  # noqa: BLE001 - raised again, without its message
        reason = f"{type(error).__name__} at {_origin(error)}"
        logger.error(reason, extra=fields)
        raise FunctionError(reason) from None
    logger.info(name, extra={**fields, **outcome, "Seconds": round(time.perf_counter() - began, 3)})


def dimensions(sync: Sync) -> dict[str, str]:
    """Return the CloudWatch dimensions that identify a Sync, in addition to ``service``."""
    return {"table": sync.table, "index": sync.index}


def counts(result: ApplyResult, bulk_stats: BulkStats, now: float) -> dict[str, float]:
    """Return the figures of an invocation by the names of their metrics. ``now`` is in seconds since the epoch.

    ``LagSeconds`` exists if a change was applied. ``BulkSeconds``, the duration of the longest bulk request, exists if
    a document was written. ``Retries`` are writes that the cluster rejected temporarily.
    """
    figures: dict[str, float] = {
        "ChangesApplied": result.applied,
        "Superseded": result.superseded,
        "Reconciled": result.reconciled,
        "DeadLettered": result.dead_lettered,
        "NotIndexed": result.not_indexed,
        "Failed": len(result.failed),
        "Retries": bulk_stats.retries,
    }
    if bulk_stats.max_seconds:
        figures["BulkSeconds"] = round(bulk_stats.max_seconds, 3)
    if result.newest_change_us:
        figures["LagSeconds"] = round(max(0.0, now - result.newest_change_us / 1e6), 3)
    return figures


def put_metrics(sync: Sync, figures: Mapping[str, float]) -> None:
    """Print figures in CloudWatch's embedded metric format."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    for name, value in dimensions(sync).items():
        metrics.add_dimension(name, value)
    for name, figure in figures.items():
        metrics.add_metric(name, MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count, figure)
    metrics.flush_metrics()


def _origin(error: Exception) -> str:
    """Return the last file and line of an error that is in dynadex or the user's code."""
    frames = extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}"


@cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger

    # Named like the package, so that its handler also writes the records of the package's modules.
    return Logger(service=SERVICE)
