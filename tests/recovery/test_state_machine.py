"""The shipped state machine, in the Step Functions of the local stack and with a real OpenSearch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import boto3
import pytest

from dynadex.demo.songs import lessons
from dynadex.document.identity import document_id
from dynadex.local.stack import LocalStack
from dynadex.runtime import Runtime, connect
from dynadex.source.table import boto_key
from tests.process.scene import Scene
from tests.recovery.conftest import scaled
from tests.recovery.figures import Figures
from tests.recovery.state_machine import RefillMachine, documents
from tests.songs import all_songs

# So short that each slice is one page.
NO_TIME = {"DYNADEX_REFILL_SLICE_SECONDS": "0.001"}


@pytest.fixture(scope="session")
def aws(stack: LocalStack) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "endpoint_url": stack.endpoints.dynamodb,
        "region_name": "us-east-1",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }
    return {name: boto3.client(name, **arguments) for name in ("lambda", "stepfunctions")}


@pytest.fixture
def scene(stack: LocalStack, opensearch_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Scene:
    name = request.node.name.split("[")[0].replace("_", "-")[-50:].strip("-")
    name += f"-{request.node.callspec.id}" if hasattr(request.node, "callspec") else ""
    return Scene(tmp_path, name, stack.endpoints.dynamodb, opensearch_url)


Deploy = Callable[[Scene, dict[str, str]], RefillMachine]


@pytest.fixture
def deploy(aws: dict[str, Any], tmp_path: Path) -> Deploy:
    def deployed(scene: Scene, variables: dict[str, str]) -> RefillMachine:
        dead_lettered = {"DYNADEX_DEAD_LETTERS": f"file:{tmp_path / 'dead-letters.jsonl'}"}
        return RefillMachine(scene, aws, dead_lettered | variables)

    return deployed


def test_every_song_is_loaded_in_at_least_ten_slices(
    scene: Scene, deploy: Deploy, figures: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.create_table()
    songs = all_songs()[: scaled(13_925, min_count=1_200)]
    scene.load(songs)
    execution = deploy(scene, NO_TIME | {"DYNADEX_REFILL_PAGE_SIZE": str(len(songs) // 13)}).run({})
    with capsys.disabled():
        print(f"\n{execution.table()}")
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    assert execution.slices() >= 10
    assert len(execution.history) < 25_000 / 10
    assert documents(connect(scene.sync, scene.settings)) == {song["id"]: song for song in songs}
    figures.slices += execution.slices()
    figures.refills += 1


def test_segments_run_in_parallel(scene: Scene, deploy: Deploy) -> None:
    scene.create_table()
    scene.load(lessons(600))
    execution = deploy(scene, NO_TIME | {"DYNADEX_REFILL_PAGE_SIZE": "60"}).run({"Segments": 3})
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    assert execution.slices() >= 10
    assert len(documents(connect(scene.sync, scene.settings))) == 600


_CRASHING = """
import os, pathlib
from dynadex import Sync
from dynadex.demo.lessons import MAPPINGS, SETTINGS

def document(item):
    mark = pathlib.Path({mark!r})
    if item["id"] == {victim!r} and not mark.exists():
        mark.touch()
        os._exit(1)
    return item

sync = Sync(table={name!r}, index={name!r}, mappings=MAPPINGS, settings=SETTINGS, document=document)
"""


def test_crashed_slice_is_repeated_from_the_same_key(scene: Scene, deploy: Deploy, tmp_path: Path) -> None:
    scene.create_table()
    songs = list(lessons(400))
    scene.load(songs)
    mark = tmp_path / "crashed"
    scene.declare(_CRASHING.format(mark=str(mark), victim=songs[200]["id"], name=scene.name))
    execution = deploy(scene, NO_TIME | {"DYNADEX_REFILL_PAGE_SIZE": "100"}).run({})
    assert mark.exists()
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    assert documents(connect(scene.sync, scene.settings)) == {song["id"]: song for song in songs}


def test_empty_table_is_backfilled(scene: Scene, deploy: Deploy) -> None:
    scene.create_table()
    execution = deploy(scene, NO_TIME).run({})
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    assert documents(connect(scene.sync, scene.settings)) == {}


_NOTHING = """
from dynadex import Sync
sync = Sync(table={name!r}, index={name!r}, document=lambda item: None)
"""


def test_pages_without_indexed_items_are_skipped(scene: Scene, deploy: Deploy) -> None:
    scene.create_table()
    scene.load(lessons(300))
    scene.declare(_NOTHING.format(name=scene.name))
    execution = deploy(scene, NO_TIME | {"DYNADEX_REFILL_PAGE_SIZE": "50"}).run({})
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    assert execution.slices() >= 6
    assert documents(connect(scene.sync, scene.settings)) == {}


KEYS: dict[str, list[tuple[str, Literal["S", "N", "B"], Callable[[int], Any]]]] = {
    "text": [("pk", "S", lambda n: f"song|{n}%")],
    "number": [("pk", "N", lambda n: str(n - 7))],
    "binary": [("pk", "B", lambda n: bytes([n, 255, 0]))],
    "composite": [("pk", "S", lambda n: f"p|{n % 3}"), ("sk", "N", str)],
}


@pytest.mark.parametrize("kind", list(KEYS)[-scaled(len(KEYS), min_count=2) :])
def test_keys_of_all_types_are_resumed(scene: Scene, deploy: Deploy, kind: str) -> None:
    parts = KEYS[kind]
    roles: tuple[Literal["HASH", "RANGE"], ...] = ("HASH", "RANGE")
    scene.dynamodb.create_table(
        TableName=scene.name,
        KeySchema=[{"AttributeName": n, "KeyType": role} for (n, _, _), role in zip(parts, roles, strict=False)],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind, _ in parts],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    keys: list[dict[str, Any]] = [{name: {kind: value(n)} for name, kind, value in parts} for n in range(60)]
    for n, key in enumerate(keys):
        scene.dynamodb.put_item(TableName=scene.name, Item=boto_key(key) | {"title": {"S": f"Tune {n}"}})
    execution = deploy(scene, NO_TIME | {"DYNADEX_REFILL_PAGE_SIZE": "7"}).run({"Segments": 2})
    assert (execution.status, execution.output) == ("SUCCEEDED", {})
    runtime: Runtime = connect(scene.sync, scene.settings)
    expected = {document_id(runtime.description.schema, key): f"Tune {n}" for n, key in enumerate(keys)}
    assert {identity: document["title"] for identity, document in documents(runtime).items()} == expected
