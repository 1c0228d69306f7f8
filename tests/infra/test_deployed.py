"""The synthesized stacks, deployed unmodified to the local stack, against a real OpenSearch.

The zip is built for this interpreter, which the local stack uses to run functions. Its event source mapping takes every
response for success, so test_package tests failures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from dynadex_infra.settings import StreamOptions
from opensearchpy import OpenSearch

from dynadex.demo.songs import lessons
from dynadex.document.typed_json import typed
from dynadex.local.stack import LocalStack
from tests.infra.conftest import ROOT, Figure, Zip
from tests.infra.local_cloud import LocalCloud, Signed
from tests.infra.synthesis import REGIONS, synthesized
from tests.waiting import HANG_SECONDS, wait_for

CORE, DATA = "DynadexCore-us-east-1", "DynadexData"
SONGS = 300
SECRET = "hunter2-nobody-may-read-this"
# Resources that intentionally outlive their stack.
RETAINED = {"AWS::Logs::LogGroup"}


@dataclass(frozen=True)
class Deployed:
    """The Core stack, running."""

    cloud: LocalCloud
    outputs: dict[str, str]
    api: httpx.Client
    cluster: OpenSearch

    def put(self, identity: str, **attributes: Any) -> str:
        """Create or replace an item; return the change token."""
        path, current = f"/api/documents/{identity}", self.api.get(f"/api/documents/{identity}")
        headers = {"If-Match": current.headers["etag"]} if current.status_code == 200 else {"If-None-Match": "*"}
        answer = self.api.put(path, json=attributes, headers=headers, auth=Signed())
        assert answer.status_code == 200, answer.text
        return str(answer.json()["change"])

    def search(self, query: str) -> list[str]:
        answer = self.api.get("/api/search", params={"q": query})
        assert answer.status_code == 200, answer.text
        return [hit["id"] for hit in answer.json()["hits"]]

    def count(self) -> int:
        self.cluster.indices.refresh(index="lessons")
        return int(self.cluster.count(index="lessons")["count"])


@pytest.fixture(scope="module")
def cluster(opensearch_url: str) -> Iterator[OpenSearch]:
    with OpenSearch(opensearch_url, timeout=HANG_SECONDS) as client:
        client.indices.delete(index="lessons-*", ignore_unavailable=True)
        yield client


@pytest.fixture(scope="module")
def cloud(opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as patch:
        # ministack uses it as the endpoint of every domain.
        patch.setenv("MINISTACK_OPENSEARCH_ENDPOINT", opensearch_url.split("//")[1].strip("/"))
        with LocalStack(tmp_path_factory.mktemp("cloud"), opensearch_url=opensearch_url) as stack:
            yield LocalCloud(stack.endpoints.dynamodb)


@pytest.fixture(scope="module")
def assembly(zips: Zip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A rebuild waits for the longest invocation once, so shorten it.
    stream = StreamOptions(timeout_seconds=15)
    folder = tmp_path_factory.mktemp("deployed")
    return synthesized(zips("local"), folder, REGIONS[:1], nag=False, stream=stream).folder


@pytest.fixture(scope="module")
def deployed(cloud: LocalCloud, assembly: Path, cluster: OpenSearch) -> Iterator[Deployed]:
    cloud.deploy(assembly, DATA)
    outputs = cloud.deploy(assembly, CORE)
    with cloud.http(outputs["Url"]) as api:
        cloud.run(outputs["RefillMachine"], {})
        yield Deployed(cloud, outputs, api, cluster)


def test_functions_run_the_code_of_the_zip(deployed: Deployed) -> None:
    loaded_from = deployed.api.get("/api/config").json()["title"]
    assert not loaded_from.startswith(str(ROOT))
    assert loaded_from.endswith("/code/dynadex/__init__.py")


def test_search_finds_a_lesson_written_through_the_api(deployed: Deployed, figure: Figure) -> None:
    deployed.put("a-lesson", title="The Silver Spear", form="reel")
    began = time.monotonic()
    wait_for(lambda: deployed.search("silvr") == ["a-lesson"], "the lesson in a search", every_seconds=0.1)
    figure(f"a lesson put through the deployed API found after {time.monotonic() - began:.1f} s")
    change = deployed.put("a-lesson", title="The Golden Spear", form="reel")
    assert found_after(deployed, change, "golden") == ["a-lesson"]
    assert not deployed.search("silver")
    deleted = deployed.api.delete("/api/documents/a-lesson", auth=Signed())
    assert deleted.status_code == 200
    assert found_after(deployed, deleted.json()["change"], "golden") == []


def found_after(deployed: Deployed, change: str, q: str) -> list[str]:
    """Return the ids that a search finds once it shows the change. One request waits only a few seconds for it."""

    def reached() -> Any:
        reply = deployed.api.get("/api/search", params={"q": q, "after": change}).json()
        return reply if reply.get("after_reached") else None

    return [hit["id"] for hit in wait_for(reached, f"a search that shows {change}")["hits"]]


def test_page_is_public_and_unsigned_writes_are_rejected(deployed: Deployed) -> None:
    page = deployed.api.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for headers in ({}, {"Authorization": "Bearer anything"}):
        rejected = deployed.api.put("/api/documents/b", json={"title": "x"}, headers={**headers, "If-None-Match": "*"})
        assert rejected.status_code in (401, 403)
        assert deployed.api.delete("/api/documents/b", headers=headers).status_code in (401, 403)
    assert deployed.api.get("/api/documents/b").status_code == 404


def test_key_that_cannot_be_indexed_is_dead_lettered_without_logging_its_values(
    deployed: Deployed,
) -> None:
    # Written directly: the API would reject it.
    bad: Any = {"id": f"bad-{SECRET}", "title": {"text": SECRET}}
    item = {name: typed(value) for name, value in bad.items()}
    deployed.cloud.client("dynamodb").put_item(TableName="lessons", Item=item)
    sqs = deployed.cloud.client("sqs")

    def dead_lettered() -> bool:
        messages = sqs.receive_message(QueueUrl=deployed.outputs["DeadLetters"]).get("Messages", [])
        return any(json.loads(message["Body"])["id"] == f"bad-{SECRET}" for message in messages)

    wait_for(dead_lettered, "a dead letter", every_seconds=0.1)
    assert deployed.api.delete(f"/api/documents/bad-{SECRET}", auth=Signed()).status_code == 200
    lines = list(logged(deployed.cloud))
    assert any('"ChangesApplied"' in line for line in lines)
    assert any('"_aws"' in line for line in lines)
    assert not [line for line in lines if SECRET in line]


def logged(cloud: LocalCloud) -> Iterator[str]:
    """Yield every line of every log group of the stack."""
    logs = cloud.client("logs")
    groups = {identity for kind, identity in cloud.resources(CORE).values() if kind == "AWS::Logs::LogGroup"}
    assert groups
    for group in groups:
        yield from (event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])


def test_state_machine_backfills_an_emptied_index(deployed: Deployed) -> None:
    fill_table(deployed.cloud)
    wait_for(lambda: deployed.count() == SONGS, "every song from the stream", every_seconds=0.1)
    empty(deployed.cluster)
    assert deployed.count() == 0
    assert deployed.cloud.run(deployed.outputs["RefillMachine"], {"Segments": 3}) == {}
    assert deployed.count() == SONGS
    assert deployed.api.get("/api/search", params={"q": "reel"}).json()["total"] > 0


def empty(cluster: OpenSearch) -> None:
    """Replace the index with an empty one, as after the loss of a volume."""
    [(name, definition)] = cluster.indices.get(index="lessons").items()
    generated = ("creation_date", "provided_name", "uuid", "version")
    settings = {key: value for key, value in definition["settings"]["index"].items() if key not in generated}
    cluster.indices.delete(index=name)
    cluster.indices.create(index=name, body={**definition, "settings": {"index": settings}})


def fill_table(cloud: LocalCloud) -> None:
    dynamodb = cloud.client("dynamodb")
    songs = [{name: typed(value) for name, value in song.items()} for song in lessons(SONGS)]
    for start in range(0, len(songs), 25):
        requests = [{"PutRequest": {"Item": song}} for song in songs[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={"lessons": requests})


def test_state_machine_rebuilds_into_a_new_index(deployed: Deployed) -> None:
    [before] = deployed.cluster.indices.get_alias(name="lessons")
    assert deployed.cloud.run(deployed.outputs["RefillMachine"], {"Rebuild": True}) == {}
    [after] = deployed.cluster.indices.get_alias(name="lessons")
    assert after != before
    assert deployed.count() == SONGS


def test_removed_stack_leaves_only_its_logs(deployed: Deployed, figure: Figure) -> None:
    cloud, resources = deployed.cloud, deployed.cloud.resources(CORE)
    assert len(resources) > 50
    figure(f"{len(resources)} resources deployed and removed")
    cloud.remove(CORE)
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []
    assert cloud.client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert cloud.client("sqs").list_queues().get("QueueUrls", []) == []
    assert cloud.client("apigatewayv2").get_apis()["Items"] == []
    assert cloud.client("opensearch").list_domain_names()["DomainNames"] == []
    assert cloud.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert cloud.client("dynamodb").list_tables()["TableNames"] == ["lessons"]
    log_groups = {group["logGroupName"] for group in cloud.client("logs").describe_log_groups()["logGroups"]}
    assert {identity for kind, identity in resources.values() if kind in RETAINED} <= log_groups
