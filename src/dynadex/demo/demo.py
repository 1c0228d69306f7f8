"""The demo: local stack, table, worker, lessons and page, wired together in one process."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from dynadex import clients
from dynadex.clock import Clock, SystemClock
from dynadex.demo.lessons import sync
from dynadex.demo.loader import load
from dynadex.demo.service import TOKEN_SECONDS, local_settings, running
from dynadex.demo.songs import lessons
from dynadex.errors import DynadexError
from dynadex.http.auth import TokenAuth
from dynadex.http.server import listening
from dynadex.local.stack import LocalStack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WATCH_SECONDS = 0.5
_CATCH_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What can be chosen. ``port`` 0 takes any free one; ``songs`` None loads all."""

    directory: Path
    port: int = 8080
    songs: int | None = None
    dynamodb_url: str | None = None
    opensearch_url: str | None = None


@dataclass(frozen=True, slots=True)
class DemoTalk:
    """What the demo calls: with the number of songs loaded and indexed so far, and once it is ready, with its address
    and a token for changes."""

    on_loaded: Callable[[int], None]
    on_indexed: Callable[[int], None]
    on_ready: Callable[[str, str], None]


def run_demo(options: DemoOptions, stop: threading.Event, talk: DemoTalk) -> None:
    """Run the demo until ``stop`` is set. Raises DynadexError when a part of it fails."""
    local = LocalStack(options.directory, dynamodb_url=options.dynamodb_url, opensearch_url=options.opensearch_url)
    auth = TokenAuth(secrets.token_bytes(32))
    with listening(options.port) as sock, local as stack:
        settings = local_settings(
            dynamodb_url=stack.endpoints.dynamodb,
            opensearch_url=stack.endpoints.opensearch,
            dead_letters=f"file:{options.directory / 'dead-letters.jsonl'}",
        )
        dynamodb = clients.dynamodb(settings)
        create_table(dynamodb, sync.table)
        with running(sync, settings, sock, auth) as service:

            def check() -> None:
                stack.check()
                service.check()

            def found() -> int:
                return service.runtime.index.count(sync.index)

            service.fill()
            loaded = load_lessons(dynamodb, options.songs, stop, talk)
            await_indexed(found, loaded, stop, check, talk.on_indexed)
            if stop.is_set():
                return
            talk.on_ready(service.url, auth.token(TOKEN_SECONDS))
            while not stop.wait(WATCH_SECONDS):
                check()


def create_table(dynamodb: DynamoDBClient, name: str) -> None:
    """The lessons table with its stream, unless it exists (a given DynamoDB may have it already)."""
    if name in dynamodb.list_tables()["TableNames"]:
        return
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def load_lessons(dynamodb: DynamoDBClient, songs: int | None, stop: threading.Event, talk: DemoTalk) -> int:
    """Write the songs to the table, until ``stop`` is set; how many there were. Raises SourceError."""
    wanted = takewhile(lambda _: not stop.is_set(), lessons(songs))
    return load(dynamodb, sync.table, wanted, talk.on_loaded)


def await_indexed(
    found: Callable[[], int],
    wanted: int,
    stop: threading.Event,
    check: Callable[[], None],
    on_indexed: Callable[[int], None],
    clock: Clock | None = None,
) -> None:
    """Wait until ``found`` counts every song loaded. Raises DynadexError when they do not arrive."""
    clock = clock or SystemClock()
    give_up_at = clock.monotonic() + _CATCH_UP_SECONDS
    count = 0
    while count < wanted and not stop.is_set():
        check()
        count = found()
        on_indexed(min(count, wanted))
        if clock.monotonic() > give_up_at:
            reason = f"{count} of {wanted} songs arrived within {_CATCH_UP_SECONDS:.0f} s"
            raise DynadexError("fill index", sync.index, reason, "See the lines above for what went wrong.")
        stop.wait(0.1)
