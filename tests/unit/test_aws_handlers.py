"""Handlers of the deployed functions: the Sync they serve, the metrics they print, and the values they never log."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from dynadex import Sync, clients, runtime
from dynadex.aws import FunctionError, observation, steps
from dynadex.aws import deployed as entry
from dynadex.change import Item
from dynadex.errors import DeclarationError, SearchError, SearchUnavailable
from dynadex.index.results import ApplyResult, BulkStats
from dynadex.state.lag import StateLag
from dynadex.testing import InMemoryIndex, InMemoryTable
from tests.waiting import let_pass

SECRET = "hunter2-never-log-this"
CONTEXT = SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000)
sync = Sync(table="lessons", index="lessons", mappings={"properties": {"title": {"type": "text"}}})


class Deployed:
    """Backends of a function: a table and an index."""

    def __init__(self) -> None:
        self.table = InMemoryTable("lessons")
        self.index = InMemoryIndex()
        self.rejected: SearchError | None = None

    def event(self) -> dict[str, Any]:
        return {"Records": self.table.records()}


@pytest.fixture(autouse=True)
def event_loop() -> Iterator[None]:
    """The event loop that the process of a function has, closed after each test."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Deployed]:
    backends = Deployed()
    monkeypatch.setenv("DYNADEX_SYNC", f"{__name__}:sync")
    monkeypatch.setenv("DYNADEX_DEAD_LETTERS", f"file:{tmp_path / 'dead-letters.jsonl'}")
    monkeypatch.setattr(clients, "dynamodb", lambda _: backends.table)
    monkeypatch.setattr(clients, "opensearch", lambda _: None)
    monkeypatch.setattr(runtime, "OpenSearchIndex", lambda _: backends.index)
    monkeypatch.setattr("dynadex.sync.load_sync", lambda _: sync)
    reset_process()
    yield backends
    reset_process()


def reset_process() -> None:
    """Drop caches, and let the logger print to the current standard output, as in a new process."""
    for cached in (entry.declared, entry._handler, observation._logger):
        cached.cache_clear()
    logger = logging.getLogger("dynadex")
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    for set_by_powertools in ("init", "powertools_handler"):
        logger.__dict__.pop(set_by_powertools, None)


def lines(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def item(identity: str, **attributes: Any) -> dict[str, Any]:
    return {"id": {"S": identity}, **{name: {"S": value} for name, value in attributes.items()}}


def test_stream_batch_is_applied_and_measured(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    entry.prepare({}, CONTEXT)
    deployed.table.put(item("1", title="Reel"))
    deployed.table.put(item("2", title="Jig"))
    assert entry.stream(deployed.event(), CONTEXT) == {"batchItemFailures": []}
    [metrics] = [line for line in lines(capsys.readouterr().out) if "_aws" in line]
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "dynadex"
    assert set(metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == {"service", "table", "index"}
    assert (metrics["ChangesApplied"], metrics["DeadLettered"], metrics["Failed"]) == ([2.0], [0.0], [0.0])
    assert metrics["LagSeconds"][0] >= 0
    assert metrics["Retries"] == [0.0]
    assert metrics["index"] == "lessons"


def test_retries_are_measured_for_each_invocation(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry.prepare({}, CONTEXT)
    began = time.monotonic()
    accept, unavailable = deployed.index.bulk, [True]

    def bulk(*arguments: Any) -> Any:
        # Long enough for a clock with a resolution of milliseconds.
        let_pass(0.002)
        if unavailable and unavailable.pop():
            raise SearchUnavailable("write to index", "lessons", "503")
        return accept(*arguments)

    monkeypatch.setattr(deployed.index, "bulk", bulk)
    deployed.table.put(item("1", title="Reel"))
    deployed.table.put(item("2", title="Jig"))
    for _ in range(2):
        assert entry.stream(deployed.event(), CONTEXT) == {"batchItemFailures": []}
    first, second = (line for line in lines(capsys.readouterr().out) if "_aws" in line)
    assert (first["Retries"], second["Retries"]) == ([2.0], [0.0])
    assert 0.002 <= first["BulkSeconds"][0] <= time.monotonic() - began
    assert {"Name": "BulkSeconds", "Unit": "Seconds"} in first["_aws"]["CloudWatchMetrics"][0]["Metrics"]


def test_log_line_contains_counts_and_no_values(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    entry.prepare({}, CONTEXT)
    deployed.table.put(item(f"key-{SECRET}", title=SECRET))
    deployed.table.put({"id": {"S": f"bad-{SECRET}"}, "title": {"M": {"value": {"S": SECRET}}}})
    assert entry.stream(deployed.event(), CONTEXT) == {"batchItemFailures": []}
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    logged = next(line for line in lines(printed.out) if line.get("message") == "stream")
    assert (logged["ChangesApplied"], logged["DeadLettered"]) == (1, 1)
    assert (logged["service"], logged["index"], logged["request"]) == ("dynadex", "lessons", "request-1")


def test_foreign_error_is_raised_and_logged_without_its_message(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode(*_: Any, **__: Any) -> Item:
        raise KeyError(SECRET)

    deployed.table.put(item("1", title=SECRET))
    monkeypatch.setattr(steps, "apply_records", explode)
    with pytest.raises(FunctionError, match=r"KeyError at test_aws_handlers.py:\d+") as raised:
        entry.stream(deployed.event(), CONTEXT)
    assert raised.value.__suppress_context__
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err


def test_error_of_dynadex_is_logged_with_its_message(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.table.put(item("1", title="Reel"))
    with pytest.raises(SearchError):
        entry.stream(deployed.event(), CONTEXT)
    [logged] = [line for line in lines(capsys.readouterr().out) if line["level"] == "ERROR"]
    assert "there is no index behind this alias" in logged["message"]
    assert (logged["kind"], logged["retryable"]) == ("SearchError", False)


def test_backfill_runs_in_three_steps(deployed: Deployed) -> None:
    deployed.table.put(item("1", title="Reel"))
    plan = entry.prepare({}, CONTEXT)
    [part] = plan["Slices"]
    assert entry.refill(part, CONTEXT) == {}
    assert entry.finish(plan, CONTEXT) == {}
    assert deployed.index.documents("lessons") == {"1": {"id": "1", "title": "Reel"}}


def test_http_api_serves_documents_writes_and_the_page(deployed: Deployed) -> None:
    deployed.table.put(item("1", title="Reel"))
    response = entry.search(request("GET", "/api/documents/1"), CONTEXT)
    assert (response["statusCode"], json.loads(response["body"])) == (200, {"id": "1", "title": "Reel"})
    for authorizer in (
        {"iam": {"userArn": "arn:aws:iam::000000000000:user/editor"}},
        {"jwt": {"claims": {"sub": "e"}}},
    ):
        response = entry.search(request("PUT", "/api/documents/2", '{"title": "Jig"}', authorizer), CONTEXT)
        assert response["statusCode"] == 200
        assert deployed.table.items()["2"]["title"] == {"S": "Jig"}
        response = entry.search(request("DELETE", "/api/documents/2", authorizer=authorizer), CONTEXT)
        assert response["statusCode"] == 200
        assert "2" not in deployed.table.items()
    page = entry.search(request("GET", "/"), CONTEXT)
    assert page["headers"]["content-type"].startswith("text/html")
    assert not page["isBase64Encoded"]


def test_write_that_the_gateway_did_not_authorize_changes_nothing(deployed: Deployed) -> None:
    deployed.table.put(item("1", title="Reel"))
    for method in ("PUT", "DELETE"):
        response = entry.search(request(method, "/api/documents/1", '{"title": "Jig"}'), CONTEXT)
        assert response["statusCode"] == 401
    assert deployed.table.items() == {"1": item("1", title="Reel")}


@pytest.mark.parametrize(("state_table", "status"), [("", 200), ("lessons-dynadex", 503)])
def test_readiness_depends_on_a_state_table_that_is_named(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, state_table: str, status: int
) -> None:
    monkeypatch.setattr(deployed.index, "search", lambda *_: {}, raising=False)
    monkeypatch.setattr(StateLag, "lag_seconds", lambda _: None)
    monkeypatch.setattr(StateLag, "stale", lambda _: "changes were lost")
    monkeypatch.setenv("DYNADEX_STATE_TABLE", state_table)
    assert entry.search(request("GET", "/health/ready"), CONTEXT)["statusCode"] == status
    assert entry.search(request("GET", "/health/live"), CONTEXT)["statusCode"] == 200


def request(method: str, path: str, body: str | None = None, authorizer: Any = None) -> dict[str, Any]:
    """The event of an HTTP API for a request, in payload format 2.0."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "lessons.test", "content-type": "application/json"},
        "requestContext": {"http": http, "stage": "$default", "requestId": "1", "authorizer": authorizer},
        "body": body,
        "isBase64Encoded": False,
    }


def test_lag_is_that_of_the_newest_applied_change() -> None:
    assert (
        observation.counts(ApplyResult(applied=1, newest_change_us=1_000_000), BulkStats(), now=3.5)["LagSeconds"]
        == 2.5
    )
    assert (
        observation.counts(ApplyResult(applied=1, newest_change_us=9_000_000), BulkStats(), now=3.5)["LagSeconds"] == 0
    )
    assert "LagSeconds" not in observation.counts(ApplyResult(), BulkStats(), now=3.5)


def test_bulk_seconds_is_missing_without_a_write() -> None:
    assert "BulkSeconds" not in observation.counts(ApplyResult(), BulkStats(), now=3.5)
    bulks = BulkStats()
    bulks.add(0.25, 0)
    bulks.add(1.5, 3)
    bulks.add(0.5, 2)
    figures = observation.counts(ApplyResult(), bulks, now=3.5)
    assert (figures["BulkSeconds"], figures["Retries"]) == (1.5, 5)


def test_records_of_other_modules_are_logged_as_json(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reject(*_: Any, **__: Any) -> Any:
        raise SearchError("search index", "lessons", "no node is available")

    monkeypatch.setattr(deployed.index, "search", reject, raising=False)
    assert entry.search(request("GET", "/api/search"), CONTEXT)["statusCode"] == 503
    logged = [line for line in lines(capsys.readouterr().out) if line["level"] == "WARNING"]
    assert [line["service"] for line in logged if "no node is available" in line["message"]] == ["dynadex"]


def test_import_of_the_entry_points_loads_no_heavy_module() -> None:
    code = "import sys, dynadex.aws.deployed; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"boto3", "botocore", "opensearchpy", "starlette", "mangum", "aws_lambda_powertools"} & set(loaded)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("search-lessons-abc.eu-west-1.es.amazonaws.com", "https://search-lessons-abc.eu-west-1.es.amazonaws.com"),
        ("127.0.0.1:9200", "http://127.0.0.1:9200"),
        ("127.0.0.1.example.org", "https://127.0.0.1.example.org"),
    ],
)
def test_endpoint_of_a_domain_is_reached_over_https(endpoint: str, url: str) -> None:
    assert entry.url_of(endpoint) == url


def test_endpoint_becomes_the_url_unless_one_is_set(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    del deployed
    monkeypatch.setenv("OPENSEARCH_URL", "https://mine.example.org")
    monkeypatch.setenv("DYNADEX_OPENSEARCH_ENDPOINT", "search.example.org")
    entry.declared()
    assert os.environ["OPENSEARCH_URL"] == "https://mine.example.org"
    entry.declared.cache_clear()
    # As in a new process. Monkeypatch restores the variable, because it was set with it above.
    monkeypatch.delenv("OPENSEARCH_URL")
    entry.declared()
    assert os.environ["OPENSEARCH_URL"] == "https://search.example.org"


def test_function_without_a_sync_names_the_setting(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    del deployed
    monkeypatch.delenv("DYNADEX_SYNC")
    with pytest.raises(DeclarationError, match="Cannot use the setting DYNADEX_SYNC: it is not set"):
        entry.stream({}, CONTEXT)
