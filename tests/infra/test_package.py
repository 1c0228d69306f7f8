"""The zip: reproducible, built for the right machine, complete, and correct under the semantics of AWS."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dynadex import clients
from dynadex.clock import SystemClock
from dynadex.dead_letters.sqs import DeadLetterQueue
from dynadex.demo.demo import create_table
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.retry import Backoff
from dynadex.settings import RuntimeSettings
from dynadex.source.stream_event import Record
from dynadex.worker.event_source_mapping import EventSourceMapping
from tests.infra.conftest import ROOT, Figure, Zip
from tests.infra.deployed_function import DeployedFunction
from tests.lambda_semantics import lambda_handler

ELF_MACHINES = {"arm64": 183, "x86_64": 62}
MAX_BYTES = 5_000_000
SECRET = "hunter2-nobody-may-read-this"
HANDLERS = ("stream", "prepare", "refill", "finish", "search")


def names(package: Path) -> list[str]:
    with zipfile.ZipFile(package) as packed:
        return packed.namelist()


def test_package_is_reproducible(packaging: ModuleType, tmp_path: Path) -> None:
    module = ROOT / "tests" / "infra" / "function" / "deployed_lessons.py"
    packages = [tmp_path / "first.zip", tmp_path / "again.zip"]
    for package in packages:
        packaging.build("arm64", package, [module], [packaging.LOCKED])
    assert packages[0].read_bytes() == packages[1].read_bytes()


@pytest.mark.parametrize("target", ["arm64", "x86_64"])
def test_native_code_is_built_for_the_machine_and_python_of_lambda(zips: Zip, target: str) -> None:
    with zipfile.ZipFile(zips(target)) as packed:
        native = [name for name in packed.namelist() if name.endswith(".so")]
        machines = {struct.unpack("<H", packed.read(name)[18:20])[0] for name in native}
    assert any("orjson" in name for name in native)
    assert machines == {ELF_MACHINES[target]}
    assert all("cpython-313" in name or "abi3" in name for name in native)


def test_package_has_the_users_module_and_nothing_unnecessary(zips: Zip, figure: Figure) -> None:
    figure(f"package of {zips('arm64').stat().st_size / 1e6:.1f} MB")
    files = names(zips("arm64"))
    assert {"deployed_lessons.py", "dynadex/aws/handlers.py", "dynadex/http/page/index.html"} <= set(files)
    assert not [name for name in files if name.startswith(("grpc", "google", "boto", "dynadex/cli/", "dynadex/local/"))]
    assert not [name for name in files if "__pycache__" in name or name.endswith("RECORD")]
    assert zips("arm64").stat().st_size < MAX_BYTES


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack"), engine=Engine.MEMORY) as running:
        create_table(clients.dynamodb(RuntimeSettings(dynamodb_url=running.endpoints.dynamodb)), "lessons")
        yield running


@pytest.fixture
def settings(stack: LocalStack) -> RuntimeSettings:
    return RuntimeSettings(
        dynamodb_url=stack.endpoints.dynamodb,
        opensearch_url=stack.endpoints.opensearch,
        dead_letters=f"{stack.endpoints.dynamodb}/000000000000/dead-letters",
    )


@pytest.fixture
def function(zips: Zip, settings: RuntimeSettings, tmp_path: Path) -> Iterator[DeployedFunction]:
    environment = {
        "DYNADEX_SYNC": "deployed_lessons:sync",
        "DYNADEX_OPENSEARCH_ENDPOINT": settings.opensearch_url.removeprefix("http://"),
        "DYNADEX_OPENSEARCH_AUTH": "sigv4",
        "DYNADEX_DYNAMODB_URL": settings.dynamodb_url or "",
        "DYNADEX_DEAD_LETTERS": settings.dead_letters,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    with DeployedFunction(zips("local"), tmp_path, environment) as running:
        yield running


def test_every_handler_runs_with_the_packages_of_lambda_alone(function: DeployedFunction) -> None:
    plan = function.call("dynadex.aws.deployed.prepare", {})
    assert function.call("dynadex.aws.deployed.refill", plan["Slices"][0]) == {}
    assert function.call("dynadex.aws.deployed.finish", plan) == {}
    assert function.call("dynadex.aws.deployed.stream", {"Records": []}) == {"batchItemFailures": []}
    http = {"method": "GET", "path": "/api/config", "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1", "userAgent": ""}
    answer = function.call(
        "dynadex.aws.deployed.search",
        {
            "version": "2.0",
            "rawPath": "/api/config",
            "rawQueryString": "",
            "headers": {"host": "lessons.test"},
            "requestContext": {"http": http, "stage": "$default"},
            "isBase64Encoded": False,
        },
    )
    assert answer["statusCode"] == 200
    # The title is the path from which dynadex was loaded.
    assert str(function.code / "dynadex") in answer["body"]


def test_deployed_code_converges_under_the_semantics_of_aws(
    function: DeployedFunction, settings: RuntimeSettings
) -> None:
    """Batches, partial responses and retries behave like on AWS; at first, the dead-letter queue does not exist."""
    dynamodb, sqs = clients.dynamodb(settings), clients.sqs(settings)
    function.call("dynadex.aws.deployed.prepare", {})
    for number in range(300):
        key = {"id": {"S": f"song-{number % 60}"}}
        if number % 7 == 6:
            dynamodb.delete_item(TableName="lessons", Key=key)
        else:
            dynamodb.put_item(TableName="lessons", Item={**key, "title": {"S": f"Reel {number}"}})
    for number in range(5):
        bad: dict[str, Any] = {"id": {"S": f"bad-{number}"}, "title": {"M": {"value": {"S": SECRET}}}}
        dynamodb.put_item(TableName="lessons", Item=bad)
    pauses: list[float] = []

    class Clock(SystemClock):
        """Creates the queue before the third attempt."""

        def sleep(self, seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                sqs.create_queue(QueueName="dead-letters")
            super().sleep(seconds)

    def invoke(event: dict[str, Any], _: Any) -> Any:
        return function.call("dynadex.aws.deployed.stream", event)

    mapping = EventSourceMapping(lambda_handler(invoke, lambda: None), Clock(), backoff=Backoff(0.05, 0.1))
    records, done = stream_records(settings), list[Record]()
    for start in range(0, len(records), 100):
        mapping.deliver(records[start : start + 100], done.extend)
    assert len(done) == len(records)
    assert len(pauses) == 2
    items = {item["id"]["S"]: item["title"].get("S") for item in dynamodb.scan(TableName="lessons")["Items"]}
    index = OpenSearchIndex(clients.opensearch(settings))
    index.refresh("lessons")
    documents = zip(items, index.get_many("lessons", list(items)), strict=True)
    titles = {identity: document.source["title"] if document else None for identity, document in documents}
    assert titles == items
    assert index.count("lessons") == len([title for title in items.values() if title])
    batches = DeadLetterQueue(sqs, settings.dead_letters).batches()
    dead_lettered = [received.letter.id for batch in batches for received in batch]
    assert sorted(dead_lettered) == [f"bad-{number}" for number in range(5)]
    assert any('"ChangesApplied"' in line for line in function.printed)
    assert SECRET not in "".join(function.printed)


def stream_records(settings: RuntimeSettings) -> list[Record]:
    """Return every record of the table's stream, as Lambda delivers it."""
    streams = clients.dynamodb_streams(settings)
    arn = clients.dynamodb(settings).describe_table(TableName="lessons")["Table"]["LatestStreamArn"]
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator: Any = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records: list[Record] = []
    while iterator:
        reply: Any = streams.get_records(ShardIterator=iterator)
        if not reply["Records"]:
            return records
        records += reply["Records"]
        iterator = reply.get("NextShardIterator")
    return records
