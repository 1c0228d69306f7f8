"""The demo in one region: local stack, table, worker, lessons and page in one process."""

from __future__ import annotations

import logging
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
from dynadex.local.engine import Engine, available
from dynadex.local.stack import LocalStack

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_log = logging.getLogger(__name__)

WATCH_SECONDS = 0.5
_CATCH_UP_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """Options of the demo. ``port`` 0 chooses a free port; ``songs`` None loads all songs."""

    directory: Path
    port: int = 8080
    songs: int | None = None
    dynamodb_url: str | None = None
    opensearch_url: str | None = None
    engine: Engine = Engine.OPENSEARCH


@dataclass(frozen=True, slots=True)
class DemoCallbacks:
    """Callbacks of the demo.

    ``on_loaded`` and ``on_indexed`` take the number of songs so far. ``on_ready`` takes the URL of the page and a token
    that permits writes.
    """

    on_loaded: Callable[[int], None]
    on_indexed: Callable[[int], None]
    on_ready: Callable[[str, str], None]


def run_demo(options: DemoOptions, stop: threading.Event, callbacks: DemoCallbacks) -> None:
    """Run the demo until ``stop`` is set. Raises DynadexError if a part of it fails."""
    local = LocalStack(
        options.directory,
        dynamodb_url=options.dynamodb_url,
        opensearch_url=options.opensearch_url,
        engine=options.engine if options.opensearch_url else available(options.engine),
    )
    auth = TokenAuth(secrets.token_bytes(32))
    with listening(options.port) as sock, local as stack:
        for name, pid in stack.running.children.items():
            _log.info(f"started {name}, pid {pid}", extra={"program": name, "pid": pid})
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

            def count_documents() -> int:
                return service.runtime.index.count(sync.index)

            service.fill()
            loaded = load_lessons(dynamodb, options.songs, stop, callbacks)
            await_indexed(count_documents, loaded, stop, check, callbacks.on_indexed)
            if stop.is_set():
                return
            callbacks.on_ready(service.url, auth.token(TOKEN_SECONDS))
            while not stop.wait(WATCH_SECONDS):
                check()


def create_table(dynamodb: DynamoDBClient, name: str) -> None:
    """Create the table of lessons with a stream, unless the table exists."""
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


def load_lessons(dynamodb: DynamoDBClient, songs: int | None, stop: threading.Event, callbacks: DemoCallbacks) -> int:
    """Write the songs to the table until ``stop`` is set; return how many were written. Raises SourceError."""
    until_stopped = takewhile(lambda _: not stop.is_set(), lessons(songs))
    return load(dynamodb, sync.table, until_stopped, callbacks.on_loaded)


def await_indexed(
    count_documents: Callable[[], int],
    expected: int,
    stop: threading.Event,
    check: Callable[[], None],
    on_indexed: Callable[[int], None],
    clock: Clock | None = None,
) -> None:
    """Wait until the index contains the expected number of documents. Raises DynadexError if it takes too long."""
    clock = clock or SystemClock()
    give_up_at = clock.monotonic() + _CATCH_UP_SECONDS
    count = 0
    while count < expected and not stop.is_set():
        check()
        count = count_documents()
        on_indexed(min(count, expected))
        if clock.monotonic() > give_up_at:
            reason = f"after {_CATCH_UP_SECONDS:.0f} s, it contains {count} of {expected} songs"
            raise DynadexError("fill index", sync.index, reason, "The lines above show the cause.")
        stop.wait(0.1)
