"""One process of the stack: started, watched, and never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynadex.errors import LocalStackError
from dynadex.local.probe import why_silent

_STOP_SECONDS = 5.0
_TAIL_BYTES = 8192
_TAIL_LINES = 12


@dataclass(frozen=True)
class Program:
    """What to start. It prints a JSON line with its ``url`` and ends once its standard input closes."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    health_path: str
    log: Path


class Child:
    """A started Program.

    It lives in a session of its own, so Ctrl-C in a terminal reaches only us, who stop things in order. Its
    standard input is a pipe whose other end only we hold: the kernel closes it however we end, SIGKILL
    included, and the child ends with it.
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
        """Process id, also of its process group."""
        return self._process.pid

    def answering_url(self) -> str | None:
        """Where it answers, or None while it does not yet; raises LocalStackError once it has ended."""
        self.check("start")
        self._url = self._url or self._announced_url()
        if self._url is None or why_silent(self._url, self.program.health_path) is not None:
            return None
        return self._url

    def check(self, operation: str = "keep running") -> None:
        """Raise LocalStackError if it has ended, with how and the last lines of its log."""
        code = self._process.poll()
        if code is not None:
            raise self.failure(operation, _how_it_ended(code))

    def failure(self, operation: str, reason: str) -> LocalStackError:
        """An error about this process that shows where its log is and how it ends."""
        lines = tail(self.program.log)
        ending = "\n  ".join([f"The end of its log {self.program.log}:", *lines])
        return LocalStackError(operation, self.program.name, reason, ending)

    def release(self) -> None:
        """Let it end by itself: close the pipe it watches."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def stop(self) -> None:
        """End it and everything it started, and wait until it is gone."""
        self.release()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        # Also when it ended by itself: what it started (Lambda workers) is in its group and may outlive it.
        # BSD answers EPERM for a group in which only zombies are left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def kill(self) -> None:
        """End it as a power cut would: at once, with nothing finished, and what it started with it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.stop()

    def _announced_url(self) -> str | None:
        for line in self.program.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                with contextlib.suppress(ValueError, KeyError):
                    return str(json.loads(line)["url"])
        return None


def tail(log: Path) -> list[str]:
    """The last lines of a log, none when it is not there."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-_TAIL_LINES:]


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"it was killed by {signal.Signals(-code).name} (exit code {code})"
    return f"it was killed by signal {-code} (exit code {code})"
