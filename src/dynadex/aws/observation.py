"""What a Lambda function logs and measures about an invocation, without any value of an item."""

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
    """An error without the words of its cause, which may quote a value of an item."""


@contextmanager
def observed(name: str, sync: Sync, context: Any) -> Iterator[dict[str, Any]]:
    """Log how an invocation ended, with the fields that the block puts into the yielded dict.

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
    except Exception as error:  # noqa: BLE001 - raised again, without its words
        reason = f"{type(error).__name__} at {_origin(error)}"
        logger.error(reason, extra=fields)
        raise FunctionError(reason) from None
    logger.info(name, extra={**fields, **outcome, "Seconds": round(time.perf_counter() - began, 3)})


def dimensions(sync: Sync) -> dict[str, str]:
    """The CloudWatch dimensions that identify a Sync, next to ``service``."""
    return {"table": sync.table, "index": sync.index}


def counts(result: ApplyResult, bulk_stats: BulkStats, now: float) -> dict[str, float]:
    """Return an invocation's figures by the names of their metrics. ``now`` is in seconds since the epoch.

    ``LagSeconds`` is there where a change was applied; ``BulkSeconds``, where something was written, is the longest
    request; ``Retries`` are writes that the cluster could not take when they were sent.
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
    """The file and line of dynadex or of the user's code that led to an error."""
    frames = extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}"


@cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger

    # It has the package's name, so that what the package's modules log takes the same way.
    return Logger(service=SERVICE)
