"""What the deployed functions of a Sync have told CloudWatch in the last hour."""

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
# What AWS calls a missing right differs by service and protocol.
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


class Metrics(Protocol):
    """What is needed of CloudWatch."""

    def get_metric_data(self, **query: Any) -> Mapping[str, Any]:
        """Data points, as CloudWatch answers them."""


@dataclass(frozen=True, slots=True)
class FunctionStatus:
    """The sums of an hour, and the largest lag. All None: nothing was reported, or, for a reason, it is ``unknown``.

    ``lag_seconds`` None with the others known: no change was applied.
    """

    applied: int | None = None
    dead_lettered: int | None = None
    failed: int | None = None
    lag_seconds: float | None = None
    unknown: str | None = None


def function_status(cloudwatch: Metrics, sync: Sync, now_us: int) -> FunctionStatus:
    """Ask for the metrics of a Sync. That CloudWatch does not tell is an answer, not an error."""
    query = _query(sync, now_us)
    try:
        results = cloudwatch.get_metric_data(**query).get("MetricDataResults")
    # The last two: what answers may be something else, which speaks no protocol of CloudWatch's.
    except (ClientError, BotoCoreError, ResponseParserError, ValueError) as error:
        return FunctionStatus(unknown=_reason(error))
    if not results:
        return FunctionStatus(unknown="what answers here is not CloudWatch")
    return _summed({one["Id"]: one["Values"] for one in results})


def _summed(found: Mapping[str, Sequence[float]]) -> FunctionStatus:
    if not any(found.values()):
        return FunctionStatus()
    applied, dead_lettered, failed = (round(sum(found.get(_id(name), ()))) for name in _COUNTED)
    return FunctionStatus(applied, dead_lettered, failed, max(found.get(_id(_LAG), ()), default=None))


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
    # The end is exclusive, and the minute under way is to be told, too.
    return {"MetricDataQueries": queries, "StartTime": now - _HOUR, "EndTime": now + _PERIOD}


def _id(metric: str) -> str:
    # CloudWatch takes none that begins with a capital letter.
    return metric.lower()


def _reason(error: Exception) -> str:
    if not isinstance(error, ClientError):
        return f"CloudWatch does not answer here ({type(error).__name__})"
    code = error.response.get("Error", {}).get("Code", "")
    if code in _DENIED:
        return f"CloudWatch may not be asked ({code}): allow cloudwatch:GetMetricData"
    return f"CloudWatch does not answer here ({code})"
