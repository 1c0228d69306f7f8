"""The custom resource that tells a table's stream: what it answers to CloudFormation, and that it always does."""

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


class Answers:
    """CloudFormation's end: keeps what is put to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, table: dict[str, Any]) -> None:
        self.told: list[dict[str, Any]] = []
        client = SimpleNamespace(describe_table=lambda TableName: {"Table": {"TableName": TableName, **table}})  # noqa: N803
        monkeypatch.setattr(boto3, "client", lambda _: client)
        monkeypatch.setattr(urllib.request, "urlopen", self._put)

    def _put(self, request: Any, timeout: float) -> Any:
        assert timeout
        assert request.method == "PUT"
        self.told.append(json.loads(request.data))
        return SimpleNamespace(close=lambda: None)

    def to(self, kind: str) -> dict[str, Any]:
        event = {
            "RequestType": kind, "ResponseURL": "https://answers.test/", "StackId": "stack", "RequestId": "1",
            "LogicalResourceId": "Stream", "ResourceProperties": {"TableName": "lessons"},
        }  # fmt: skip
        lookup.handler(event, SimpleNamespace(log_stream_name="stream-1"))
        return self.told[-1]


def table(view: str) -> dict[str, Any]:
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}, "LatestStreamArn": ARN}


@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize("view", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_it_tells_the_stream_that_the_table_has_now(monkeypatch: pytest.MonkeyPatch, kind: str, view: str) -> None:
    answer = Answers(monkeypatch, table(view)).to(kind)
    assert (answer["Status"], answer["Data"]) == ("SUCCESS", {"StreamArn": ARN})
    assert (answer["StackId"], answer["RequestId"], answer["LogicalResourceId"]) == ("stack", "1", "Stream")


@pytest.mark.parametrize("found", [{}, table("KEYS_ONLY"), table("OLD_IMAGE")])
def test_a_table_without_a_usable_stream_fails_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]
) -> None:
    answer = Answers(monkeypatch, found).to("Create")
    assert answer["Status"] == "FAILED"
    assert "Enable one with NEW_AND_OLD_IMAGES" in answer["Reason"]


def test_its_deletion_asks_nothing_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Answers(monkeypatch, {}).to("Delete")["Status"] == "SUCCESS"


def test_it_fits_into_a_template() -> None:
    assert Path(lookup.__file__).stat().st_size < 4096
