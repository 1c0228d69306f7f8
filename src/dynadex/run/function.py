"""The handlers of a deployed Lambda function: ``dynadex.run.function.stream`` and its siblings.

``DYNADEX_SYNC`` names the Sync as module:attribute. ``DYNADEX_OPENSEARCH_ENDPOINT`` is what a domain calls its
endpoint, a host without a scheme; ``OPENSEARCH_URL`` wins over it. Logs are JSON lines, metrics are CloudWatch's
embedded format; both hold names, counts and dynadex's own reasons, never a value of an item.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from dynadex.errors import DeclarationError, DynadexError
from dynadex.settings import is_loopback

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from dynadex.index.tally import Bulks, Tally
    from dynadex.sync import Sync

NAMESPACE = SERVICE = "dynadex"
SYNC_VARIABLE = "DYNADEX_SYNC"
ENDPOINT_VARIABLE = "DYNADEX_OPENSEARCH_ENDPOINT"


class FunctionError(RuntimeError):
    """An error without the words of its cause, which may quote a value of an item."""


def stream(event: Any, context: Any) -> dict[str, Any]:
    """Apply a batch of stream records, answer with a partial batch response, and tell what became of them."""
    from dynadex.run import lambda_handlers

    sync = declared()
    with _observed("stream", sync, context) as told:

        def observe(tally: Tally, bulks: Bulks) -> None:
            told.update(counts(tally, bulks, time.time()))
            _measure(sync, told)

        return lambda_handlers.stream(sync, event, context, observe)


def prepare(event: Any, context: Any) -> dict[str, Any]:
    """What comes before the slices of a refill."""
    return _refill_step("prepare", event, context)


def refill(event: Any, context: Any) -> dict[str, Any]:
    """One slice of a refill."""
    return _refill_step("refill", event, context)


def finish(event: Any, context: Any) -> dict[str, Any]:
    """What comes after the slices of a refill."""
    return _refill_step("finish", event, context)


def search(event: Any, context: Any) -> dict[str, Any]:
    """The HTTP service behind an HTTP API (payload format 2.0)."""
    with _observed("search", declared(), context):
        return _service()(event, context)


@cache
def declared() -> Sync:
    """The Sync that ``DYNADEX_SYNC`` names. Raises DeclarationError."""
    from dynadex.sync import load_sync

    reference = os.environ.get(SYNC_VARIABLE, "")
    if not reference:
        raise DeclarationError("use the setting", SYNC_VARIABLE, "it is not set", "Set it to module:attribute.")
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    if endpoint:
        os.environ.setdefault("OPENSEARCH_URL", url_of(endpoint))
    return load_sync(reference)


def url_of(endpoint: str) -> str:
    """The URL of a domain's endpoint: encrypted, unless it is on this machine."""
    plain = f"http://{endpoint}"
    return plain if is_loopback(plain) else f"https://{endpoint}"


def counts(tally: Tally, bulks: Bulks, now: float) -> dict[str, float]:
    """An invocation by the names of its metrics: what became of its records, and what it took.

    ``LagSeconds`` where a change was applied; ``BulkSeconds``, where something was written, is the longest request;
    ``Retries`` are writes that the cluster could not take when they were sent.
    """
    told: dict[str, float] = {
        "ChangesApplied": tally.applied,
        "Stale": tally.stale,
        "Reconciled": tally.reconciled,
        "Parked": tally.parked,
        "NotIndexed": tally.skipped,
        "Failed": len(tally.failed),
        "Retries": bulks.retries,
    }
    if bulks.longest_seconds:
        told["BulkSeconds"] = round(bulks.longest_seconds, 3)
    if tally.newest_us:
        told["LagSeconds"] = round(max(0.0, now - tally.newest_us / 1e6), 3)
    return told


def _refill_step(name: str, event: Any, context: Any) -> dict[str, Any]:
    sync = declared()
    handler: Callable[[Any, Any], dict[str, Any]] = getattr(sync, name)
    with _observed(name, sync, context) as told:
        answer = handler(event, context)
        told["MoreToScan"] = "LastEvaluatedKey" in answer
        return answer


@cache
def _service() -> Callable[[Any, Any], dict[str, Any]]:
    from mangum import Mangum

    from dynadex.run.freshness import StateFreshness
    from dynadex.run.wiring import connect
    from dynadex.search.api import create_app
    from dynadex.search.auth import GatewayAuth
    from dynadex.settings import Settings

    sync = declared()
    settings = Settings.from_environment()
    runtime = connect(sync, settings)
    # A function that is told of no state table has no right to look for one either.
    freshness = StateFreshness(runtime.state(), runtime.clock) if settings.state_table else None
    app = create_app(
        sync, runtime.index, runtime.table, runtime.description.schema, freshness, settings.ready_lag_seconds,
        auth=GatewayAuth(), origins=settings.origins, timing=settings.timing,
    )  # fmt: skip
    return Mangum(app, lifespan="off")


@contextmanager
def _observed(name: str, sync: Sync, context: Any) -> Iterator[dict[str, Any]]:
    """Log how an invocation ended, with what was put into the dict."""
    told: dict[str, Any] = {}
    logger = _logger()
    about = {"sync": os.environ[SYNC_VARIABLE], "index": sync.index, "request": getattr(context, "aws_request_id", "")}
    began = time.perf_counter()
    try:
        yield told
    except DynadexError as error:
        logger.error(str(error), extra={**about, "kind": type(error).__name__, "retryable": error.retryable})
        raise
    except Exception as error:  # noqa: BLE001 - raised again, without its words
        reason = f"{type(error).__name__} at {_place(error)}"
        logger.error(reason, extra=about)
        raise FunctionError(reason) from None
    logger.info(name, extra={**about, **told, "Seconds": round(time.perf_counter() - began, 3)})


def _place(error: Exception) -> str:
    """Where it was raised: the line of ours or of the user's that led to it."""
    frames = extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _measure(sync: Sync, told: Mapping[str, float]) -> None:
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    metrics.add_dimension("sync", os.environ[SYNC_VARIABLE])
    metrics.add_dimension("index", sync.index)
    for name, value in told.items():
        metrics.add_metric(name, MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count, value)
    metrics.flush_metrics()


@cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger

    # Named as the package: what its modules log goes the same way.
    return Logger(service=SERVICE)
