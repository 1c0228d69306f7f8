"""A process of the local stack that never outlives its parent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynadex.clock import Clock, SystemClock
from dynadex.errors import LocalStackError
from dynadex.local.probe import why_unresponsive

_STOP_SECONDS = 5.0
# Only a program that hangs reaches this limit: the end of a process is noticed immediately. A loaded machine may need
# minutes.
_START_SECONDS = 300.0
_POLL_SECONDS = 0.02
_TAIL_BYTES = 32_768
_TAIL_LINES = 12


@dataclass(frozen=True)
class Program:
    """A program to start. It prints a JSON line with its ``url``, and ends when its standard input closes.

    ``stop_seconds`` is how long it may take to end before it is killed.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health_path: str
    log: Path
    stop_seconds: float = _STOP_SECONDS


class Child:
    """A started Program.

    It runs in its own session, so that Ctrl-C in a terminal reaches only this process, which stops its children in
    order. Its standard input is a pipe whose other end only this process holds. The kernel closes the pipe however
    this process ends, SIGKILL included, and the child ends with it.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._url: str | None = None
        with program.log.open("wb") as log:
            try:
                self._process = subprocess.Popen(
                    program.command,
                    env=program.environment,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                reason = f"{program.command[0]}: {error.strerror or error}"
                raise LocalStackError("start", program.name, reason) from error

    @property
    def pid(self) -> int:
        """Id of the process and of its process group."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def responding_url(self) -> str | None:
        """Return the URL once the program responds there, None until then; raise LocalStackError if it has ended."""
        self.check("start")
        self._url = self._url or self._announced_url()
        if self._url is None or why_unresponsive(self._url, self.program.health_path) is not None:
            return None
        return self._url

    def check(self, operation: str = "keep running") -> None:
        """Raise LocalStackError, with the last lines of the log, if the process has ended."""
        code = self._process.poll()
        if code is not None:
            raise self.failure(operation, _exit_reason(code))

    def failure(self, operation: str, reason: str) -> LocalStackError:
        """Return an error about this process that shows the last lines of its log."""
        lines = tail(self.program.log)
        excerpt = "\n  ".join([f"The end of its log {self.program.log}:", *lines])
        return LocalStackError(operation, self.program.name, reason, excerpt)

    def release(self) -> None:
        """Close the pipe that the process watches, so that it ends."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def stop(self) -> None:
        """End the process and everything it started, and wait until they have ended."""
        self.release()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(self.program.stop_seconds)
        # Kill the group even if the process has ended: processes it started (Lambda workers) may outlive it.
        # BSD returns EPERM for a group that contains only processes that have ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def kill(self) -> None:
        """End the process and everything it started immediately, like a power cut."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.stop()

    def _announced_url(self) -> str | None:
        for line in self.program.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                with contextlib.suppress(ValueError, KeyError):
                    return str(json.loads(line)["url"])
        return None


def await_urls(children: Mapping[str, Child], clock: Clock | None = None) -> dict[str, str]:
    """Wait until all processes respond; return their URLs under the same keys. Raises LocalStackError."""
    clock = clock or SystemClock()
    urls = dict[str, str]()
    give_up_at = clock.monotonic() + _START_SECONDS
    while waiting := {key: child for key, child in children.items() if key not in urls}:
        for key, child in waiting.items():
            if url := child.responding_url():
                urls[key] = url
            elif clock.monotonic() > give_up_at:
                raise child.failure("start", f"it has not responded after {_START_SECONDS:g} s")
        clock.sleep(_POLL_SECONDS)
    return urls


def tail(log: Path) -> list[str]:
    """Return the last lines of a log without the frames of Java's stack traces; none if it does not exist."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip() and not line.startswith("\tat ")][-_TAIL_LINES:]


def _exit_reason(code: int) -> str:
    """Describe how a process ended; a negative exit code is the signal that killed it."""
    if code >= 0:
        return f"it ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"it was killed by {signal.Signals(-code).name} (exit code {code})"
    return f"it was killed by signal {-code} (exit code {code})"
