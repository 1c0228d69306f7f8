"""What is asked of CloudWatch on the functions' behalf, and what becomes of its answers."""

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
    """Answers every query with the same values, or an error."""

    def __init__(self, error: Exception | None = None, **values: list[float]) -> None:
        self._error = error
        self._values = values
        self.query: dict[str, Any] = {}

    def get_metric_data(self, **query: Any) -> Mapping[str, Any]:
        self.query = query
        if self._error:
            raise self._error
        return {"MetricDataResults": [{"Id": name, "Values": values} for name, values in self._values.items()]}


def ask(cloudwatch: CloudWatch) -> FunctionStatus:
    return function_status(cloudwatch, SYNC, round(NOON.timestamp() * 1e6))


def test_counts_are_summed_and_the_largest_lag_is_told() -> None:
    cloudwatch = CloudWatch(
        changesapplied=[1000.0, 234.0], deadlettered=[0.0], failed=[1.0, 1.0], lagseconds=[0.5, 7.5, 1.0]
    )
    assert ask(cloudwatch) == FunctionStatus(1234, 0, 2, 7.5)


def test_without_a_change_applied_no_lag_is_known() -> None:
    assert ask(CloudWatch(changesapplied=[0.0], deadlettered=[2.0], failed=[0.0], lagseconds=[])) == FunctionStatus(
        0, 2, 0
    )


def test_nothing_reported_is_not_zero() -> None:
    assert ask(CloudWatch(changesapplied=[], deadlettered=[], failed=[], lagseconds=[])) == FunctionStatus(None)


def test_an_answer_without_results_is_of_something_else() -> None:
    assert ask(CloudWatch()) == FunctionStatus(unknown="what answers here is not CloudWatch")


def test_it_asks_for_the_last_hour_of_what_the_functions_print() -> None:
    cloudwatch = CloudWatch()
    ask(cloudwatch)
    assert cloudwatch.query["StartTime"] == NOON.replace(hour=11)
    assert cloudwatch.query["EndTime"] == NOON.replace(minute=1)
    asked = {one["MetricStat"]["Metric"]["MetricName"]: one for one in cloudwatch.query["MetricDataQueries"]}
    assert {name: one["MetricStat"]["Stat"] for name, one in asked.items()} == {
        "ChangesApplied": "Sum", "DeadLettered": "Sum", "Failed": "Sum", "LagSeconds": "Maximum",
    }  # fmt: skip
    assert asked.keys() <= counts(ApplyResult(newest_change_us=1), BulkStats(), 1.0).keys()
    metric = asked["DeadLettered"]["MetricStat"]["Metric"]
    assert metric["Namespace"] == "dynadex"
    assert {one["Name"]: one["Value"] for one in metric["Dimensions"]} == {
        "service": "dynadex", "table": "songs", "index": "lessons",
    }  # fmt: skip


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetMetricData")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (refused("AccessDenied"), "CloudWatch may not be asked (AccessDenied): allow cloudwatch:GetMetricData"),
        (refused("UnknownOperationException"), "CloudWatch does not answer here (UnknownOperationException)"),
        (EndpointConnectionError(endpoint_url="x"), "CloudWatch does not answer here (EndpointConnectionError)"),
        (ResponseParserError("x"), "CloudWatch does not answer here (ResponseParserError)"),
    ],
)
def test_that_it_does_not_tell_is_a_note(error: Exception, reason: str) -> None:
    assert ask(CloudWatch(error)) == FunctionStatus(unknown=reason)
