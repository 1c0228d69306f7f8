"""A real OpenSearch node on this machine, for tests and benchmarks. `make opensearch` downloads it."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

HERE: Final = Path(__file__).parent / "opensearch"
LOOPBACK: Final = "127.0.0.1"
START_SECONDS: Final = 90
STOP_SECONDS: Final = 30
POLL_SECONDS: Final = 0.1

JVM_OPTIONS: Final = (
    "-Xms512m",
    "-Xmx1g",
    "-Xshare:auto",
    "-XX:+ExitOnOutOfMemoryError",
    # The rest is from the distribution's own jvm.options.
    "-XX:-OmitStackTraceInFastThrow",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "--add-modules=jdk.incubator.vector",
    "--enable-native-access=ALL-UNNAMED",
)


class NodeError(RuntimeError):
    """The node failed. The message contains the remedy, or ends with the end of the node's log."""


class OpenSearchNode:
    """One single-node cluster. Its ports and its data under `home` outlive `stop()` and `kill()`.

    The process holds the other end of its standard input, so the node ends with it, even if it is killed.
    """

    def __init__(self, home: Path, *, jars: Path | None = None) -> None:
        self.home = home.resolve()
        self.version = ""
        self._jars = jars
        self._http_port, self._transport_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._http_port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the node, and return when it responds and every primary shard is active."""
        if self.pid is not None:
            raise NodeError(f"the node at {self.url} runs already")
        command = self._command()
        for folder in ("logs", "tmp"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        with self._console.open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=console, stderr=console, start_new_session=True
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Close the node's input, so that it closes its shards and exits. Does nothing when it is not running."""
        if self._process is None:
            return
        self._close_stdin(self._process)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeError(f"the node did not stop within {STOP_SECONDS} s\n{self.log_tail()}") from None
        code, self._process = self._process.returncode, None
        if code != 0:
            raise NodeError(f"the node had exited with {code}\n{self.log_tail()}")

    def kill(self) -> None:
        """Send SIGKILL, like a power failure: only data that was already synced survives."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._close_stdin(self._process)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Delete every index. The node must be stopped."""
        if self.pid is not None:
            raise NodeError("stop the node before its data is wiped")
        if (data := self.home / "data").exists():
            shutil.rmtree(data)

    def log_tail(self, lines: int = 60) -> str:
        """Return the last lines of the node's log, then of its console."""
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            for log in (self.home / "logs" / "node.log", self._console)
            if log.exists()
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _console(self) -> Path:
        return self.home / "logs" / "console.log"

    def _command(self) -> list[str]:
        java, jars = _installation()
        jars = self._jars or jars
        if not (jars / "made").exists():
            raise NodeError(f"no OpenSearch in {jars}: run `make opensearch`")
        return [
            java,
            *JVM_OPTIONS,
            *os.environ.get("OPENSEARCH_JVM_OPTIONS", "").split(),
            f"-XX:SharedArchiveFile={jars / 'classes.jsa'}",
            f"-Djava.io.tmpdir={self.home / 'tmp'}",
            "-cp",
            f"{jars / 'start.jar'}:{jars / 'lib'}/*",
            "StartNode",
            str(HERE / "config"),
            str(self.home),
            str(self._http_port),
            str(self._transport_port),
        ]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for yellow: a single node cannot allocate replicas, so an index with replicas is never green."""
        deadline = time.monotonic() + START_SECONDS
        health = "/_cluster/health?wait_for_status=yellow&wait_for_no_initializing_shards=true&timeout=2s"
        while self._get(health) is None:
            if process.poll() is not None:
                raise NodeError(f"the node exited with {process.returncode} while starting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise NodeError(f"the node was not ready within {START_SECONDS} s\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)
        self.version = json.loads(self._get("/") or b"{}")["version"]["number"]

    def _get(self, path: str) -> bytes | None:
        """Return the body of a 200, or None. Proxies in the environment are ignored."""
        with closing(http.client.HTTPConnection(LOOPBACK, self._http_port, timeout=10)) as connection:
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                return response.read() if response.status == 200 else None
            except (OSError, http.client.HTTPException):
                return None

    @staticmethod
    def _close_stdin(process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            process.stdin.close()


def _installation() -> tuple[str, Path]:
    """Return the Java to use and the directory of its jars, which jars.sh determines, as for `make opensearch`."""
    asked = subprocess.run([HERE / "jars.sh", "where"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise NodeError(asked.stderr.strip())
    java, jars = asked.stdout.splitlines()
    return java, Path(jars)


def _free_ports(count: int) -> list[int]:
    """Return ports below every system's ephemeral range, which no process gets by chance while the node restarts."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind((LOOPBACK, port))
            ports.add(port)
    return list(ports)
