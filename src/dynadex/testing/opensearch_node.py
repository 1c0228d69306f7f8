"""A node of OpenSearch for tests: started, stopped, killed and restarted with its data."""

from __future__ import annotations

import json
import random
import shutil
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.request import ProxyHandler, build_opener

from dynadex.errors import LocalStackError
from dynadex.local.child import Child, await_urls
from dynadex.local.opensearch_program import NodeConfig, node_program
from dynadex.local.probe import LOOPBACK
from dynadex.opensearch.install import install
from dynadex.opensearch.release import DEFAULT

_TIMEOUT_SECONDS = 60


class OpenSearchNode:
    """A cluster with one node for the duration of a with block::

        with OpenSearchNode(tmp_path, plugins=["opensearch-knn"]) as node:
            print(node.url, node.version)

    Its port and its data outlive ``stop()`` and ``kill()``. However this process ends, the node ends too. The first
    start of a version fetches it.

    Args:
        home: Folder for data and log; created if needed.
        version: Version of OpenSearch: 2.19 or 3.
        plugins: Names of plugins to load, such as ``opensearch-knn``.
        heap: Maximum heap of the Java VM, such as ``512m`` or ``2g``.
        settings: Settings as in opensearch.yml.
        class_cache: Whether to prepare faster starts at the first start, which takes 20 seconds and 80 MB.
    """

    def __init__(
        self,
        home: Path,
        *,
        version: str = DEFAULT,
        plugins: Sequence[str] = (),
        heap: str = "1g",
        settings: Mapping[str, str] | None = None,
        class_cache: bool = True,
    ) -> None:
        self.home = home.absolute()
        self._version = ""
        self._release, self._plugins = version, tuple(plugins)
        self._config = NodeConfig(self.home, _free_port(), heap, settings or {}, class_cache=class_cache)
        self._log = self.home / "opensearch.log"
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """URL of the REST API, also while the node does not run."""
        return f"http://{LOOPBACK}:{self._config.http_port}"

    @property
    def version(self) -> str:
        """Version that the node reports, such as 2.19.1; empty before the first start."""
        return self._version

    @property
    def pid(self) -> int | None:
        """Process id; None when the node does not run."""
        return self._child.pid if self._child and self._child.is_running else None

    def start(self) -> None:
        """Start the node, and return when every primary shard is active. Raises LocalStackError."""
        if self.pid is not None:
            raise LocalStackError("start", f"the node at {self.url}", "it runs already", "Stop it first.")
        self.home.mkdir(parents=True, exist_ok=True)
        child = Child(node_program(install(self._release, self._plugins), self._config, self._log))
        try:
            await_urls({"node": child})
        except BaseException:
            child.kill()
            raise
        self._child = child
        self._version = self._reported_version()

    def stop(self) -> None:
        """Close the node and wait until it has ended; do nothing if it does not run.

        Raises LocalStackError if it had ended before.
        """
        child, self._child = self._child, None
        if child is not None:
            try:
                child.check()
            finally:
                child.stop()

    def kill(self) -> None:
        """End the node like a power cut: only data that was synced to disk survives."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def restart(self) -> None:
        """Stop the node and start it with the same port and data."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Delete all data. Raises LocalStackError if the node runs."""
        if self.pid is not None:
            raise LocalStackError("delete the data of", f"the node at {self.url}", "it runs", "Stop it first.")
        if (data := self.home / "data").exists():
            shutil.rmtree(data)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _reported_version(self) -> str:
        # Proxies in the environment are ignored.
        with build_opener(ProxyHandler({})).open(self.url, timeout=_TIMEOUT_SECONDS) as response:
            return str(json.load(response)["version"]["number"])


def _free_port() -> int:
    """Return a port below every system's ephemeral range: no process gets it by chance while the node restarts."""
    while True:
        port = random.randrange(20_000, 32_000)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port
