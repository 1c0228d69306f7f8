"""The query of the functions' metrics in CloudWatch, and the totals of its response."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from dynadex import Sync
from dynadex.aws.cloudwatch import FunctionStatus, function_status
from dynadex.aws.observation import counts
from dynadex.index.results import ApplyResult, BulkStats

SYNC = Sync(table="songs", index="lessons")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class CloudWatch:
    """Returns the same values for every query, or raises an error."""

    def __init__(self, error: Exception | None = None, **values: list[float]) -> None:
        self._error = error
        self._values = values
        self.query: dict[str, Any] = {}

    def get_metric_data(self, **query: Any) -> Mapping[str, Any]:
        self.query = query
        if self._error:
            raise self._error
        return {"MetricDataResults": [{"Id": name, "Values": values} for name, values in self._values.items()]}


def status_from(cloudwatch: CloudWatch) -> FunctionStatus:
    return function_status(cloudwatch, SYNC, round(NOON.timestamp() * 1e6))


def test_counts_are_summed_and_the_largest_lag_is_returned() -> None:
    cloudwatch = CloudWatch(
        changesapplied=[1000.0, 234.0], deadlettered=[0.0], failed=[1.0, 1.0], lagseconds=[0.5, 7.5, 1.0]
    )
    assert status_from(cloudwatch) == FunctionStatus(1234, 0, 2, 7.5)


def test_lag_is_unknown_without_an_applied_change() -> None:
    assert status_from(
        CloudWatch(changesapplied=[0.0], deadlettered=[2.0], failed=[0.0], lagseconds=[])
    ) == FunctionStatus(0, 2, 0)


def test_missing_metrics_are_not_zero() -> None:
    assert status_from(CloudWatch(changesapplied=[], deadlettered=[], failed=[], lagseconds=[])) == FunctionStatus(None)


def test_response_without_results_is_not_from_cloudwatch() -> None:
    assert status_from(CloudWatch()) == FunctionStatus(unknown="the endpoint is not CloudWatch")


def test_query_covers_the_last_hour_of_printed_metrics() -> None:
    cloudwatch = CloudWatch()
    status_from(cloudwatch)
    assert cloudwatch.query["StartTime"] == NOON.replace(hour=11)
    assert cloudwatch.query["EndTime"] == NOON.replace(minute=1)
    queries = {query["MetricStat"]["Metric"]["MetricName"]: query for query in cloudwatch.query["MetricDataQueries"]}
    assert {name: query["MetricStat"]["Stat"] for name, query in queries.items()} == {
        "ChangesApplied": "Sum", "DeadLettered": "Sum", "Failed": "Sum", "LagSeconds": "Maximum",
    }  # fmt: skip
    assert queries.keys() <= counts(ApplyResult(newest_change_us=1), BulkStats(), 1.0).keys()
    metric = queries["DeadLettered"]["MetricStat"]["Metric"]
    assert metric["Namespace"] == "dynadex"
    assert {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]} == {
        "service": "dynadex", "table": "songs", "index": "lessons",
    }  # fmt: skip


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetMetricData")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("AccessDenied"), "CloudWatch denied access (AccessDenied): grant cloudwatch:GetMetricData"),
        (client_error("UnknownOperationException"), "CloudWatch cannot be read (UnknownOperationException)"),
        (EndpointConnectionError(endpoint_url="x"), "CloudWatch cannot be reached (EndpointConnectionError)"),
        (ResponseParserError("x"), "CloudWatch cannot be reached (ResponseParserError)"),
    ],
)
def test_error_of_cloudwatch_is_returned_as_a_reason(error: Exception, reason: str) -> None:
    assert status_from(CloudWatch(error)) == FunctionStatus(unknown=reason)
