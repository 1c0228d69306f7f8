"""Starts `dynadex` processes as forks of one that has imported the modules, which takes most of the time of a start.

``python -m tests.process.fork_server FD`` is the server; FD is a socket. It forks one process for each message, and
writes the exit code of each to the pipe that came with the message. When the socket closes, it kills what still runs.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

_MAX_MESSAGE_BYTES = 1 << 20
_PRELOADED = (
    "boto3", "opensearchpy", "rich.console", "rich.markdown", "rich.progress", "uvicorn", "dynadex.cli",
    "dynadex.http.app", "dynadex.refill.refill", "dynadex.verify.verify", "dynadex.worker.follow",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A process to start: arguments of `dynadex`, current folder, environment, and values of product constants."""

    arguments: list[str]
    directory: str
    variables: dict[str, str]
    constants: dict[str, float]


class ForkedProcess:
    """A process of the fork server, with the attributes of ``subprocess.Popen`` that tests use."""

    def __init__(self, request: Request) -> None:
        out, out_writer = os.pipe()
        err, err_writer = os.pipe()
        self._status, status_writer = os.pipe()
        writers = [out_writer, err_writer, status_writer]
        self.pid = _server().start(request, writers)
        for writer in writers:
            os.close(writer)
        self.stdout: IO[str] = os.fdopen(out)
        self.stderr: IO[str] = os.fdopen(err)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        return self._await(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit code, which is negative for a signal. Raises TimeoutExpired."""
        code = self._await(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("dynadex", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _await(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(os.read(self._status, 16))
            os.close(self._status)
        return self.returncode


class _Server:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = (sys.executable, "-m", "tests.process.fork_server", str(theirs.fileno()))
            root = Path(__file__).parents[2]
            self._process = subprocess.Popen(command, cwd=root, pass_fds=[theirs.fileno()], start_new_session=True)
        self._lock = threading.Lock()

    def start(self, request: Request, writers: list[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(asdict(request)).encode()], writers)
            return int(self._socket.recv(16))


@cache
def _server() -> _Server:
    return _Server()


def serve(connection: socket.socket) -> Request | None:
    """Fork a process for each message. Return its request in a new process, and None when the connection closes."""
    statuses = dict[int, int]()
    wake_reader, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, _, _ = select.select([connection.fileno(), wake_reader], [], [])
        if wake_reader in readable:
            os.read(wake_reader, 1024)
            _report_ended(statuses)
        if connection.fileno() in readable:
            message, descriptors, _, _ = socket.recv_fds(connection, _MAX_MESSAGE_BYTES, 3)
            if not message:
                for pid in statuses:
                    os.kill(pid, signal.SIGKILL)
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for descriptor in (wake_reader, wake_writer, *statuses.values()):
                    os.close(descriptor)
                connection.close()
                return _become(Request(**json.loads(message)), descriptors)
            statuses[pid] = descriptors[2]
            os.close(descriptors[0])
            os.close(descriptors[1])
            connection.send(str(pid).encode())


def _report_ended(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        descriptor = statuses.pop(pid)
        os.write(descriptor, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(descriptor)


def _become(request: Request, descriptors: list[int]) -> Request:
    """Make this fork look like a new process: signals, descriptors, folder, environment."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    null_device = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null_device, 0), (descriptors[0], 1), (descriptors[1], 2)):
        os.dup2(source, target)
    for descriptor in (null_device, *descriptors):
        os.close(descriptor)
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.variables)
    faulthandler.enable()
    sys.argv = ["dynadex", *request.arguments]
    sys.path[0] = request.directory
    importlib.invalidate_caches()
    _set(request.constants)
    return request


def _set(constants: Mapping[str, float]) -> None:
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)


def main(descriptor: int) -> None:
    for name in _PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=descriptor) as connection:
        if serve(connection) is None:
            return
    importlib.import_module("dynadex.cli").main()


if __name__ == "__main__":
    main(int(sys.argv[1]))
