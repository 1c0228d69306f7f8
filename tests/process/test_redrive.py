"""Dead letters in a file and in a queue: each is stored once, and deleted only after its key is settled."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dynadex import Sync, clients
from dynadex.aws import stream_handler
from dynadex.dead_letters.port import DeadLetter, DeadLetterError
from dynadex.errors import DynadexError
from dynadex.index.bulk import Outcome
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.maintenance.redrive import Redriven, redrive, resync
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from tests.waiting import HANG_SECONDS

MAPPINGS = {"properties": {"title": {"type": "text"}, "bars": {"type": "integer"}}}
SYNC = Sync(table="redriven", index="redriven", mappings=MAPPINGS)
MODULE = f"from dynadex import Sync\nsync = Sync(table='redriven', index='redriven', mappings={MAPPINGS!r})\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack"), engine=Engine.MEMORY) as running:
        yield running


@pytest.fixture(params=["file", "queue"])
def runtime(request: pytest.FixtureRequest, stack: LocalStack, tmp_path: Path) -> Iterator[Runtime]:
    where = f"file:{tmp_path / 'dead-letters.jsonl'}"
    settings = RuntimeSettings(
        dynamodb_url=stack.endpoints.dynamodb, opensearch_url=stack.endpoints.opensearch, dead_letters=where
    )
    if request.param == "queue":
        queue = clients.sqs(settings).create_queue(QueueName="dead-letters")["QueueUrl"]
        clients.sqs(settings).purge_queue(QueueUrl=queue)
        settings = RuntimeSettings(
            dynamodb_url=stack.endpoints.dynamodb, opensearch_url=stack.endpoints.opensearch, dead_letters=queue
        )
    dynamodb = clients.dynamodb(settings)
    dynamodb.create_table(
        TableName="redriven",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    connected = connect(SYNC, settings)
    connected.ensure_index()
    yield connected
    dynamodb.delete_table(TableName="redriven")
    for index in connected.alias.current():
        connected.index.delete(index)


def put(runtime: Runtime, identity: str, title: Any) -> None:
    runtime.table.put({"id": {"S": identity}, "title": title})


def add(runtime: Runtime, *identities: str) -> None:
    """Dead-letter keys as the stream handler does for an item that the mapping rejects."""
    letters = [
        DeadLetter("redriven-1", identity, {"id": {"S": identity}}, "rejected", "1" * 21, "2026-01-01T00:00:00Z")
        for identity in identities
    ]
    runtime.dead_letters.add(letters)


def run(runtime: Runtime, **options: Any) -> Redriven:
    return redrive(runtime, threading.Event(), lambda _: None, **options)


def document(runtime: Runtime, identity: str) -> Any:
    stored = runtime.index.get_many(runtime.alias.current()[0], [identity])[0]
    return stored.source if stored else None


def test_dead_letter_is_deleted_once_its_item_is_indexed(runtime: Runtime) -> None:
    put(runtime, "fixed", {"S": "The Rakes of Mallow"})
    put(runtime, "broken", {"M": {"not": {"S": "text"}}})
    add(runtime, "fixed", "broken", "deleted")
    result = run(runtime)
    assert result.settled == 2
    assert [letter.id for letter, _ in result.failing] == ["broken"]
    assert "title" in result.failing[0][1]
    assert document(runtime, "fixed") == {"id": "fixed", "title": "The Rakes of Mallow"}
    assert document(runtime, "broken") is None
    put(runtime, "broken", {"S": "now text"})
    again = run(runtime)
    assert (again.settled, again.failing) == (1, [])
    assert document(runtime, "broken") == {"id": "broken", "title": "now text"}
    assert run(runtime).settled == 0


def test_dry_run_lists_dead_letters_and_changes_nothing(runtime: Runtime) -> None:
    put(runtime, "a", {"S": "fine"})
    add(runtime, "a")
    assert runtime.dead_letters.backlog().count == 1
    listed = run(runtime, dry_run=True)
    assert [(letter.id, reason) for letter, reason in listed.failing] == [("a", "rejected")]
    assert document(runtime, "a") is None
    assert runtime.dead_letters.backlog().count == 1
    assert run(runtime).settled == 1
    assert runtime.dead_letters.backlog().count == 0


def test_dead_letters_of_several_batches_are_each_settled_once(runtime: Runtime) -> None:
    identities = [f"song-{number}" for number in range(235)]
    for identity in identities:
        put(runtime, identity, {"S": identity})
    add(runtime, *identities)
    assert run(runtime).settled == 235
    assert all(document(runtime, identity) for identity in identities)


def test_dead_letter_without_a_key_is_kept_with_its_reason(runtime: Runtime) -> None:
    runtime.dead_letters.add([DeadLetter("", "", None, "no Keys", "2" * 21, "2026-01-01T00:00:00Z")])
    [(letter, reason)] = run(runtime).failing
    assert letter.sequence_number == "2" * 21
    assert "the record has no key" in reason


def test_stop_leaves_the_rest_dead_lettered(runtime: Runtime) -> None:
    put(runtime, "a", {"S": "fine"})
    add(runtime, "a")
    stop = threading.Event()
    stop.set()
    assert redrive(runtime, stop, lambda _: None).settled == 0
    assert run(runtime).settled == 1


def test_resync_reconciles_the_named_keys(runtime: Runtime) -> None:
    put(runtime, "a", {"S": "fine"})
    put(runtime, "b", {"M": {}})
    outcome = resync(runtime, ["a", '{"id": {"S": "b"}}', "gone"])
    assert {identity: (resynced.reply.outcome, resynced.has_item) for identity, resynced in outcome.items()} == {
        "a": (Outcome.APPLIED, True),
        "b": (Outcome.REJECTED, True),
        "gone": (Outcome.APPLIED, False),
    }
    assert document(runtime, "a") == {"id": "a", "title": "fine"}


def test_commands_print_the_result_of_each_key(
    runtime: Runtime, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    put(runtime, "fixed", {"S": "fine"})
    put(runtime, "broken", {"M": {}})
    add(runtime, "fixed", "broken")
    dry = command("redrive", "--dry-run")
    assert dry.returncode == 0
    assert sorted(dry.stdout.splitlines()) == ["broken\trejected", "fixed\trejected"]
    done = command("redrive")
    assert done.returncode == 1
    assert done.stdout.startswith("broken\t")
    assert "1 settled, 1 still failing" in done.stderr
    named = command("resync", "fixed", "broken", "mistyped")
    assert named.returncode == 1
    lines = dict(line.split("\t") for line in named.stdout.splitlines())
    assert lines["fixed"] == "equal"
    assert lines["mistyped"] == "equal: neither item nor document exists"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ('{"other": {"S": "x"}}', "key attribute 'id' is missing"),
        ('{"id": {"S": "x"}, "other": {"S": "x"}}', "'other' is not a key attribute of the table; those are id"),
        ("", "key attribute 'id' is empty"),
        ('{"id": {"S": ""}}', "key attribute 'id' is empty"),
    ],
)
def test_resync_rejects_a_name_that_is_not_a_key_of_the_table(runtime: Runtime, name: str, reason: str) -> None:
    with pytest.raises(DynadexError, match=re.escape(reason)):
        resync(runtime, [name])


@pytest.fixture
def command(runtime: Runtime, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    (tmp_path / "songs.py").write_text(MODULE)

    def run_command(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        where = ["--dead-letters", runtime.settings.dead_letters] if name == "redrive" else []
        urls = ["--dynamodb", str(runtime.settings.dynamodb_url), "--opensearch", runtime.settings.opensearch_url]
        line = [sys.executable, "-m", "dynadex", name, "songs:sync", *arguments, *urls, *where]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=HANG_SECONDS, check=False)

    return run_command


def test_deleted_queue_fails_the_record_and_not_the_batch(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch, runtime: Runtime
) -> None:
    queue = f"{stack.endpoints.dynamodb}/000000000000/no-such-queue"
    for name, value in {
        "OPENSEARCH_URL": stack.endpoints.opensearch,
        "DYNADEX_DYNAMODB_URL": stack.endpoints.dynamodb,
        "DYNADEX_DEAD_LETTERS": queue,
    }.items():
        monkeypatch.setenv(name, value)
    sync = Sync(table="redriven", index="redriven", mappings=MAPPINGS)
    event = {
        "Records": [record("1", "good", {"S": "fine"}), record("2", "bad", {"M": {}}), record("3", "bad2", {"M": {}})]
    }
    response = stream_handler(sync)(event, None)
    assert response == {"batchItemFailures": [{"itemIdentifier": "2" * 21}]}
    assert document(runtime, "good") == {"id": "good", "title": "fine"}
    with pytest.raises(DeadLetterError, match="write dead letters to"):
        connect(sync, RuntimeSettings.from_environment()).dead_letters.add([DeadLetter("", "x", None, "", None, "")])
    with pytest.raises(DeadLetterError, match="count the dead letters in"):
        connect(sync, RuntimeSettings.from_environment()).dead_letters.backlog()


def record(digit: str, identity: str, title: Any) -> dict[str, Any]:
    image = {"id": {"S": identity}, "title": title}
    body = {"ApproximateCreationDateTime": 1_700_000_000, "Keys": {"id": {"S": identity}}, "NewImage": image}
    return {"eventName": "INSERT", "dynamodb": body | {"SequenceNumber": digit * 21}}


def test_file_keeps_new_dead_letters_during_a_removal(tmp_path: Path) -> None:
    from dynadex.dead_letters.file import DeadLetterFile

    dead_letters = DeadLetterFile(tmp_path / "dead-letters.jsonl")
    dead_letters.add([DeadLetter("i", str(number), None, "r", None, "t") for number in range(3)])
    batch = next(dead_letters.batches())
    dead_letters.add([DeadLetter("i", "late", None, "r", None, "t")])
    dead_letters.remove(batch[:2])
    left = [json.loads(line)["id"] for line in (tmp_path / "dead-letters.jsonl").read_text().splitlines()]
    assert left == ["2", "late"]
