"""The handlers of a deployed function: which Sync they serve, what they measure, and what they never log."""

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

SECRET = "hunter2-nobody-may-read-this"
CONTEXT = SimpleNamespace(aws_request_id="request-1", get_remaining_time_in_millis=lambda: 60_000)
sync = Sync(table="lessons", index="lessons", mappings={"properties": {"title": {"type": "text"}}})


class Deployed:
    """A function's surroundings: a table, an index, and where dead letters go."""

    def __init__(self) -> None:
        self.table = InMemoryTable("lessons")
        self.index = InMemoryIndex()
        self.refused: SearchError | None = None

    def event(self) -> dict[str, Any]:
        return {"Records": self.table.records()}


@pytest.fixture(autouse=True)
def event_loop() -> Iterator[None]:
    """The one that a function's process has for good, here closed after each test."""
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
    start_over()
    yield backends
    start_over()


def start_over() -> None:
    """As in a new process: nothing is remembered, and the logger prints to where output goes now."""
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


def test_a_stream_batch_is_applied_and_measured(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_busy_cluster_is_measured_per_invocation(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry.prepare({}, CONTEXT)
    take, away = deployed.index.bulk, [True]

    def bulk(*arguments: Any) -> Any:
        # On a clock that reads milliseconds, too, it has taken some time.
        time.sleep(0.002)
        if away and away.pop():
            raise SearchUnavailable("write to index", "lessons", "503")
        return take(*arguments)

    monkeypatch.setattr(deployed.index, "bulk", bulk)
    deployed.table.put(item("1", title="Reel"))
    deployed.table.put(item("2", title="Jig"))
    for _ in range(2):
        assert entry.stream(deployed.event(), CONTEXT) == {"batchItemFailures": []}
    first, second = (line for line in lines(capsys.readouterr().out) if "_aws" in line)
    assert (first["Retries"], second["Retries"]) == ([2.0], [0.0])
    assert 0.002 <= first["BulkSeconds"][0] < 60
    assert {"Name": "BulkSeconds", "Unit": "Seconds"} in first["_aws"]["CloudWatchMetrics"][0]["Metrics"]


def test_a_log_line_tells_counts_and_no_values(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    entry.prepare({}, CONTEXT)
    deployed.table.put(item(f"key-{SECRET}", title=SECRET))
    deployed.table.put({"id": {"S": f"bad-{SECRET}"}, "title": {"M": {"value": {"S": SECRET}}}})
    assert entry.stream(deployed.event(), CONTEXT) == {"batchItemFailures": []}
    printed = capsys.readouterr()
    assert SECRET not in printed.out + printed.err
    told = next(line for line in lines(printed.out) if line.get("message") == "stream")
    assert (told["ChangesApplied"], told["DeadLettered"]) == (1, 1)
    assert (told["service"], told["index"], told["request"]) == ("dynadex", "lessons", "request-1")


def test_an_error_of_somebody_else_is_told_without_its_words(
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


def test_an_error_of_ours_is_logged_with_what_to_do(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.table.put(item("1", title="Reel"))
    with pytest.raises(SearchError):
        entry.stream(deployed.event(), CONTEXT)
    [told] = [line for line in lines(capsys.readouterr().out) if line["level"] == "ERROR"]
    assert "there is no index behind this alias" in told["message"]
    assert (told["kind"], told["retryable"]) == ("SearchError", False)


def test_a_refill_runs_in_its_three_steps(deployed: Deployed) -> None:
    deployed.table.put(item("1", title="Reel"))
    plan = entry.prepare({}, CONTEXT)
    [part] = plan["Slices"]
    assert entry.refill(part, CONTEXT) == {}
    assert entry.finish(plan, CONTEXT) == {}
    assert deployed.index.documents("lessons") == {"1": {"id": "1", "title": "Reel"}}


def test_searches_and_documents_are_served_to_an_http_api(deployed: Deployed) -> None:
    deployed.table.put(item("1", title="Reel"))
    answer = entry.search(request("GET", "/api/documents/1"), CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"id": "1", "title": "Reel"})
    for authorizer in (
        {"iam": {"userArn": "arn:aws:iam::000000000000:user/editor"}},
        {"jwt": {"claims": {"sub": "e"}}},
    ):
        answer = entry.search(request("PUT", "/api/documents/2", '{"title": "Jig"}', authorizer), CONTEXT)
        assert answer["statusCode"] == 200
        assert deployed.table.items()["2"]["title"] == {"S": "Jig"}
        answer = entry.search(request("DELETE", "/api/documents/2", authorizer=authorizer), CONTEXT)
        assert answer["statusCode"] == 200
        assert "2" not in deployed.table.items()
    page = entry.search(request("GET", "/"), CONTEXT)
    assert page["headers"]["content-type"].startswith("text/html")
    assert not page["isBase64Encoded"]


def test_a_write_that_the_gateway_did_not_authorise_changes_nothing(deployed: Deployed) -> None:
    deployed.table.put(item("1", title="Reel"))
    for method in ("PUT", "DELETE"):
        answer = entry.search(request(method, "/api/documents/1", '{"title": "Jig"}'), CONTEXT)
        assert answer["statusCode"] == 401
    assert deployed.table.items() == {"1": item("1", title="Reel")}


@pytest.mark.parametrize(("state_table", "status"), [("", 200), ("lessons-dynadex", 503)])
def test_readiness_is_told_of_the_state_table_that_is_named(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, state_table: str, status: int
) -> None:
    monkeypatch.setattr(deployed.index, "search", lambda *_: {}, raising=False)
    monkeypatch.setattr(StateLag, "lag_seconds", lambda _: None)
    monkeypatch.setattr(StateLag, "stale", lambda _: "changes were lost")
    monkeypatch.setenv("DYNADEX_STATE_TABLE", state_table)
    assert entry.search(request("GET", "/health/ready"), CONTEXT)["statusCode"] == status
    assert entry.search(request("GET", "/health/live"), CONTEXT)["statusCode"] == 200


def request(method: str, path: str, body: str | None = None, authorizer: Any = None) -> dict[str, Any]:
    """A request as an HTTP API hands it on, in its payload format 2.0."""
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


def test_the_lag_is_of_the_newest_change_applied() -> None:
    assert (
        observation.counts(ApplyResult(applied=1, newest_change_us=1_000_000), BulkStats(), now=3.5)["LagSeconds"]
        == 2.5
    )
    assert (
        observation.counts(ApplyResult(applied=1, newest_change_us=9_000_000), BulkStats(), now=3.5)["LagSeconds"] == 0
    )
    assert "LagSeconds" not in observation.counts(ApplyResult(), BulkStats(), now=3.5)


def test_nothing_written_is_no_latency() -> None:
    assert "BulkSeconds" not in observation.counts(ApplyResult(), BulkStats(), now=3.5)
    bulks = BulkStats()
    bulks.add(0.25, 0)
    bulks.add(1.5, 3)
    bulks.add(0.5, 2)
    told = observation.counts(ApplyResult(), bulks, now=3.5)
    assert (told["BulkSeconds"], told["Retries"]) == (1.5, 5)


def test_what_other_modules_log_goes_the_same_way(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise SearchError("search index", "lessons", "it is away")

    monkeypatch.setattr(deployed.index, "search", refuse, raising=False)
    assert entry.search(request("GET", "/api/search"), CONTEXT)["statusCode"] == 503
    told = [line for line in lines(capsys.readouterr().out) if line["level"] == "WARNING"]
    assert [line["service"] for line in told if "it is away" in line["message"]] == ["dynadex"]


def test_importing_it_brings_nothing_heavy_with_it() -> None:
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
def test_a_domains_endpoint_is_reached_encrypted(endpoint: str, url: str) -> None:
    assert entry.url_of(endpoint) == url


def test_the_endpoint_becomes_the_url_unless_there_is_one(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    del deployed
    monkeypatch.setenv("OPENSEARCH_URL", "https://mine.example.org")
    monkeypatch.setenv("DYNADEX_OPENSEARCH_ENDPOINT", "search.example.org")
    entry.declared()
    assert os.environ["OPENSEARCH_URL"] == "https://mine.example.org"
    entry.declared.cache_clear()
    # As the process would find it: undone by monkeypatch, which has seen the variable above.
    monkeypatch.delenv("OPENSEARCH_URL")
    entry.declared()
    assert os.environ["OPENSEARCH_URL"] == "https://search.example.org"


def test_a_function_without_a_sync_says_what_to_set(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    del deployed
    monkeypatch.delenv("DYNADEX_SYNC")
    with pytest.raises(DeclarationError, match="Cannot use the setting DYNADEX_SYNC: it is not set"):
        entry.stream({}, CONTEXT)
