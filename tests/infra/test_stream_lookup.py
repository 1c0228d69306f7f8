"""The custom resource that looks up a table's stream always responds to CloudFormation."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from dynadex_infra.stream_lookup import index as lookup

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/lessons/stream/2026-11-24T05:45:00.000"


class CloudFormation:
    """Sends requests to the custom resource and records its responses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, table: dict[str, Any]) -> None:
        self.responses: list[dict[str, Any]] = []
        client = SimpleNamespace(describe_table=lambda TableName: {"Table": {"TableName": TableName, **table}})  # noqa: N803
        monkeypatch.setattr(boto3, "client", lambda _: client)
        monkeypatch.setattr(urllib.request, "urlopen", self._put)

    def _put(self, request: Any, timeout: float) -> Any:
        assert timeout
        assert request.method == "PUT"
        self.responses.append(json.loads(request.data))
        return SimpleNamespace(close=lambda: None)

    def request(self, kind: str) -> dict[str, Any]:
        event = {
            "RequestType": kind, "ResponseURL": "https://responses.test/", "StackId": "stack", "RequestId": "1",
            "LogicalResourceId": "Stream", "ResourceProperties": {"TableName": "lessons"},
        }  # fmt: skip
        lookup.handler(event, SimpleNamespace(log_stream_name="stream-1"))
        return self.responses[-1]


def table(view: str) -> dict[str, Any]:
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}, "LatestStreamArn": ARN}


@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize("view", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_response_has_the_current_stream_of_the_table(monkeypatch: pytest.MonkeyPatch, kind: str, view: str) -> None:
    response = CloudFormation(monkeypatch, table(view)).request(kind)
    assert (response["Status"], response["Data"]) == ("SUCCESS", {"StreamArn": ARN})
    assert (response["StackId"], response["RequestId"], response["LogicalResourceId"]) == ("stack", "1", "Stream")


@pytest.mark.parametrize("description", [{}, table("KEYS_ONLY"), table("OLD_IMAGE")])
def test_table_without_a_usable_stream_is_a_failure_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, description: dict[str, Any]
) -> None:
    response = CloudFormation(monkeypatch, description).request("Create")
    assert response["Status"] == "FAILED"
    assert "Enable one with NEW_AND_OLD_IMAGES" in response["Reason"]


def test_deletion_does_not_read_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CloudFormation(monkeypatch, {}).request("Delete")["Status"] == "SUCCESS"


def test_code_fits_into_a_template() -> None:
    assert Path(lookup.__file__).stat().st_size < 4096
