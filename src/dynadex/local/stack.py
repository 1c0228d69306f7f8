"""The local stack as a context manager: starts, awaits, checks and stops both backends."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from dynadex.errors import LocalStackError
from dynadex.local import programs
from dynadex.local.child import Child, Program, await_urls
from dynadex.local.engine import Engine
from dynadex.local.probe import why_unresponsive, why_unusable
from dynadex.local.state import Endpoints, RunningStack, StackFolder

__all__ = ["Endpoints", "LocalStack"]


class LocalStack:
    """DynamoDB and OpenSearch on this machine for the duration of a with block; their data is lost after it::

        with LocalStack(Path(".dynadex/local")) as stack:
            print(stack.endpoints.dynamodb, stack.endpoints.opensearch)

    A directory holds at most one stack at a time. However this process ends, the processes it started end too.

    Args:
        directory: Folder for state and logs; created if needed.
        dynamodb_url: URL of a running DynamoDB to use instead of starting one.
        opensearch_url: URL of a running OpenSearch to use instead of starting one.
        dynamodb_port: Port of the DynamoDB to start; any free port by default.
        opensearch_port: Port of the OpenSearch to start; any free port by default.
        engine: The search engine to start. The first start of OpenSearch fetches it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        dynamodb_url: str | None = None,
        opensearch_url: str | None = None,
        dynamodb_port: int | None = None,
        opensearch_port: int | None = None,
        engine: Engine = Engine.OPENSEARCH,
    ) -> None:
        self.folder = StackFolder(directory)
        self._urls = {"dynamodb": dynamodb_url, "opensearch": opensearch_url}
        self._ports = {"dynamodb": dynamodb_port, "opensearch": opensearch_port}
        self._engine = engine
        self._children: dict[str, Child] = {}
        self._running: RunningStack | None = None

    @property
    def running(self) -> RunningStack:
        """State of the running stack; raises LocalStackError before start and after stop."""
        if self._running is None:
            raise LocalStackError("use", "the local stack", "it is not running", "Start it first.")
        return self._running

    @property
    def endpoints(self) -> Endpoints:
        """URLs of the backends; raises LocalStackError before start and after stop."""
        return self.running.endpoints

    def start(self) -> Endpoints:
        """Start the backends and wait until both respond; raise LocalStackError if one cannot start."""
        self.folder.prepare()
        if not self.folder.lock():
            raise already_running(self.folder)
        try:
            # A killed stack leaves its files, but no processes.
            self.folder.clear()
            self._check_request()
            self._launch()
            self._running = self._described(self._await_answers())
            self.folder.write(self._running)
        except BaseException:
            self.stop()
            raise
        return self.endpoints

    def stop(self) -> None:
        """Stop the processes that were started and wait until they have ended; do nothing if none runs."""
        for child in self._children.values():
            child.release()
        for child in self._children.values():
            child.stop()
        self._children.clear()
        self._running = None
        if self.folder.has_lock:
            self.folder.clear()
            self.folder.unlock()

    def check(self) -> None:
        """Raise LocalStackError if one of the processes has ended."""
        for child in self._children.values():
            child.check()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _check_request(self) -> None:
        for backend, url in self._urls.items():
            port = self._ports[backend]
            if url is not None and port is not None:
                raise LocalStackError(
                    "start", "the local stack", f"{backend} has both a URL and a port", "Pass only one."
                )
            if url is not None and (reason := why_unresponsive(url)):
                raise LocalStackError("use", url, reason, f"Start it, or leave out --{backend} to start one here.")
            if port is not None and (reason := why_unusable(port)):
                raise LocalStackError(
                    "listen on",
                    f"port {port} for {backend}",
                    reason,
                    f"Free it, choose another --{backend}-port, or leave the option out to use any free port.",
                )

    def _launch(self) -> None:
        # Describing a program checks that it is installed: check both before starting either.
        startable = dict[str, Program]()
        if self._urls["dynamodb"] is None:
            startable["dynamodb"] = programs.dynamodb(self.folder, self._ports["dynamodb"])
        if self._urls["opensearch"] is None:
            startable["opensearch"] = programs.search_engine(self._engine, self.folder, self._ports["opensearch"])
        for backend, program in startable.items():
            self._children[backend] = Child(program)

    def _await_answers(self) -> Endpoints:
        running = {backend: url for backend, url in self._urls.items() if url is not None}
        return Endpoints(**running, **await_urls(self._children))

    def _described(self, endpoints: Endpoints) -> RunningStack:
        return RunningStack(
            pid=os.getpid(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            endpoints=endpoints,
            children=MappingProxyType({child.program.name: child.pid for child in self._children.values()}),
        )


def already_running(folder: StackFolder) -> LocalStackError:
    """Return the error for a directory that another stack uses."""
    running = folder.read()
    if running is None:
        reason = "another stack is starting or stopping there"
    else:
        urls = f"DynamoDB {running.endpoints.dynamodb}, OpenSearch {running.endpoints.opensearch}"
        reason = f"one already runs there (pid {running.pid}, {urls})"
    hint = "Use that one, stop it with `dynadex local down`, or choose another --dir."
    return LocalStackError("start a local stack in", str(folder.path), reason, hint)
