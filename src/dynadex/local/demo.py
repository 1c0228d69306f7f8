"""The demo: local stack, table, worker, lessons and page, wired together in one process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from dynadex import clients
from dynadex.clock import SystemClock
from dynadex.demo.lessons import sync
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.errors import DynadexError, LocalStackError
from dynadex.local.stack import LocalStack
from dynadex.run.follow import follow
from dynadex.run.freshness import StateFreshness
from dynadex.run.wiring import Runtime, connect
from dynadex.search.api import create_app
from dynadex.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOST = "127.0.0.1"
_CATCH_UP_SECONDS = 120.0
_WATCH_SECONDS = 0.5


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
    """How the demo tells what it does: a line, songs loaded and indexed, and the address once it is ready."""

    say: Callable[[str], None]
    on_loaded: Callable[[int], None]
    on_indexed: Callable[[int], None]
    on_ready: Callable[[str], None]


def run_demo(options: DemoOptions, stop: threading.Event, talk: DemoTalk) -> None:
    """Run the demo until ``stop`` is set. Raises DynadexError when a part of it fails."""
    with listening(options.port) as sock, _stack(options) as stack:
        settings = Settings.from_environment(
            dynamodb_url=stack.endpoints.dynamodb,
            opensearch_url=stack.endpoints.opensearch,
            dead_letters=f"file:{options.directory / 'dead-letters.jsonl'}",
        )
        dynamodb = clients.dynamodb(settings)
        create_table(dynamodb, sync.table)
        runtime = connect(sync, settings)
        runtime.ensure_index()
        with _worker(settings, talk.say) as failure:

            def check() -> None:
                stack.check()
                if failure:
                    raise failure[0]

            loaded = load(
                dynamodb, sync.table, takewhile(lambda _: not stop.is_set(), lessons(options.songs)), talk.on_loaded
            )
            _await_indexed(runtime, loaded, stop, check, talk.on_indexed)
            if stop.is_set():
                return
            app = create_app(
                sync, runtime.index, runtime.table, runtime.description.schema,
                StateFreshness(runtime.state(), runtime.clock, has_worker=True), settings.ready_lag_seconds,
            )  # fmt: skip
            with _serving(uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")), sock):
                talk.on_ready(f"http://{HOST}:{sock.getsockname()[1]}")
                while not stop.wait(_WATCH_SECONDS):
                    check()


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A listening socket on loopback, taken before anything is started. Raises LocalStackError when it is in use."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with sock:
        try:
            sock.bind((HOST, port))
        except OSError as error:
            raise LocalStackError(
                "serve the page on", f"{HOST}:{port}", str(error.strerror), "Choose another port with --port N."
            ) from error
        sock.listen(128)
        yield sock


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


def _stack(options: DemoOptions) -> LocalStack:
    return LocalStack(options.directory, dynamodb_url=options.dynamodb_url, opensearch_url=options.opensearch_url)


@contextmanager
def _worker(settings: Settings, say: Callable[[str], None]) -> Iterator[list[BaseException]]:
    """The worker in a thread; what ended it too early is put into the list."""
    stop, failure = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            follow(sync, settings, stop, say)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failure.append(error)

    thread = threading.Thread(target=work, name="worker", daemon=True)
    thread.start()
    try:
        yield failure
    finally:
        stop.set()
        thread.join()


@contextmanager
def _serving(server: uvicorn.Server, sock: socket.socket) -> Iterator[None]:
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="page", daemon=True)
    thread.start()
    clock = SystemClock()
    while not server.started and thread.is_alive():
        clock.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _await_indexed(
    runtime: Runtime,
    wanted: int,
    stop: threading.Event,
    check: Callable[[], None],
    on_indexed: Callable[[int], None],
) -> None:
    """Wait until the worker has brought every song loaded into the index."""
    give_up_at = runtime.clock.monotonic() + _CATCH_UP_SECONDS
    found = 0
    while found < wanted and not stop.is_set():
        check()
        found = runtime.index.count(runtime.sync.index) if runtime.index.exists(runtime.sync.index) else 0
        on_indexed(min(found, wanted))
        if runtime.clock.monotonic() > give_up_at:
            reason = f"{found} of {wanted} songs arrived within {_CATCH_UP_SECONDS:.0f} s"
            raise DynadexError("fill index", runtime.sync.index, reason, "See the lines above for what went wrong.")
        stop.wait(0.1)
