"""Reads from CloudWatch what the deployed functions of a Sync reported in the last hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from dynadex.aws.observation import NAMESPACE, SERVICE, dimensions
from dynadex.document.versioning import MICROSECONDS
from dynadex.sync import Sync

_HOUR = timedelta(hours=1)
_PERIOD = timedelta(minutes=1)
_COUNTED = ("ChangesApplied", "DeadLettered", "Failed")
_LAG = "LagSeconds"
# The error code for a missing permission differs by service and protocol.
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


class Metrics(Protocol):
    """The part of the CloudWatch client that is used."""

    def get_metric_data(self, **query: Any) -> Mapping[str, Any]:
        """Return data points as GetMetricData does."""


@dataclass(frozen=True, slots=True)
class FunctionStatus:
    """Totals of the functions of a Sync in the last hour. Every count is None if no function reported any."""

    applied: int | None = None
    """Number of changes applied."""
    dead_lettered: int | None = None
    """Number of keys dead-lettered."""
    failed: int | None = None
    """Number of records that failed and were retried."""
    lag_seconds: float | None = None
    """Largest lag; None if no change was applied."""
    unknown: str | None = None
    """Why CloudWatch could not be read; None if it could."""


def function_status(cloudwatch: Metrics, sync: Sync, now_us: int) -> FunctionStatus:
    """Return the totals of a Sync. If CloudWatch cannot be read, ``unknown`` contains the reason; nothing is raised."""
    query = _query(sync, now_us)
    try:
        results = cloudwatch.get_metric_data(**query).get("MetricDataResults")
    # The last two: the endpoint may belong to another service, whose response is not valid for CloudWatch.
    except (ClientError, BotoCoreError, ResponseParserError, ValueError) as error:
        return FunctionStatus(unknown=_reason(error))
    if not results:
        return FunctionStatus(unknown="the endpoint is not CloudWatch")
    return _summed({result["Id"]: result["Values"] for result in results})


def _summed(values: Mapping[str, Sequence[float]]) -> FunctionStatus:
    if not any(values.values()):
        return FunctionStatus()
    applied, dead_lettered, failed = (round(sum(values.get(_id(name), ()))) for name in _COUNTED)
    return FunctionStatus(applied, dead_lettered, failed, max(values.get(_id(_LAG), ()), default=None))


def _query(sync: Sync, now_us: int) -> dict[str, Any]:
    now = datetime.fromtimestamp(now_us / MICROSECONDS, UTC)
    identity = {"service": SERVICE, **dimensions(sync)}
    named = [{"Name": name, "Value": value} for name, value in identity.items()]
    queries = [
        {
            "Id": _id(name),
            "MetricStat": {
                "Metric": {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": named},
                "Period": int(_PERIOD.total_seconds()),
                "Stat": "Maximum" if name == _LAG else "Sum",
            },
        }
        for name in (*_COUNTED, _LAG)
    ]
    # The end is exclusive, and the current minute must be included.
    return {"MetricDataQueries": queries, "StartTime": now - _HOUR, "EndTime": now + _PERIOD}


def _id(metric: str) -> str:
    # CloudWatch rejects ids that begin with a capital letter.
    return metric.lower()


def _reason(error: Exception) -> str:
    if not isinstance(error, ClientError):
        return f"CloudWatch cannot be reached ({type(error).__name__})"
    code = error.response.get("Error", {}).get("Code", "")
    if code in _DENIED:
        return f"CloudWatch denied access ({code}): grant cloudwatch:GetMetricData"
    return f"CloudWatch cannot be read ({code})"
