"""Real `dynadex` processes, whose output tests wait for, and that are always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from tests.process.fork_server import ForkedProcess, Request
from tests.waiting import HANG_SECONDS

# For the rest of the output of an aborted process, which only completes a failure message. Its child may keep it open.
_REST_SECONDS = 1.0
# The first is that of the command, which ends the process with an error. The second is that of threads.
COMMAND, THREADS = "dynadex.cli.run", "dynadex.worker.worker"


def environment(**variables: str) -> dict[str, str]:
    """The current environment without settings of AWS and dynadex, and with the given variables."""
    foreign = ("AWS_", "DYNADEX_", "OPENSEARCH_URL")
    inherited = {
        name: value for name, value in os.environ.items() if name == "DYNADEX_CACHE_DIR" or not name.startswith(foreign)
    }
    # With the fault handler, a process that hangs can print its stacks.
    return inherited | {"PYTHONFAULTHANDLER": "1"} | variables


class Running:
    """A process whose output lines are collected."""

    def __init__(self, process: subprocess.Popen[str] | ForkedProcess, command: str) -> None:
        self._process = process
        self.command = command
        self.output: list[str] = []
        self.errors: list[str] = []
        self._heard = threading.Condition()
        self._open = 2
        self._listeners = [
            threading.Thread(target=self._listen, args=(stream, lines), daemon=True)
            for stream, lines in ((self._process.stdout, self.output), (self._process.stderr, self.errors))
        ]
        for listener in self._listeners:
            listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Wait for a line of either stream that matches the pattern. Fails if the process ends without one."""
        deadline = time.monotonic() + HANG_SECONDS
        with self._heard:
            while not (match := self._search(pattern)):
                left = deadline - time.monotonic()
                assert left > 0, f"no {pattern!r} within {HANG_SECONDS:g} s\n{self}"
                assert self._open, f"the process ended without {pattern!r}\n{self}"
                self._heard.wait(left)
        return match

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until the process has ended and its output is read; return its exit code."""
        try:
            code = self._process.wait(HANG_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {HANG_SECONDS:g} s\n{self._with_stacks()}") from None
        for listener in self._listeners:
            listener.join(HANG_SECONDS)
        return code

    def _with_stacks(self) -> str:
        """Abort the process; return its output with the stacks of its threads."""
        self._process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(HANG_SECONDS)
        for listener in self._listeners:
            listener.join(_REST_SECONDS)
        return str(self)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; return the exit code."""
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """Send SIGKILL and wait."""
        self._process.kill()
        self.wait()

    def close(self) -> None:
        if self.is_alive():
            self.kill()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def __str__(self) -> str:
        return "\n".join([self.command, *(f"  out: {line}" for line in self.output), *(f"  {e}" for e in self.errors)])

    def _search(self, pattern: str) -> re.Match[str] | None:
        return next((match for line in [*self.output, *self.errors] if (match := re.search(pattern, line))), None)

    def _listen(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            with self._heard:
                lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._open -= 1
            self._heard.notify_all()


def started(command: Sequence[str], directory: Path, variables: Mapping[str, str]) -> Running:
    """Start a command of any program."""
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return Running(process, " ".join(command))


class Commands:
    """Starts `dynadex` commands in one directory with one environment."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self.directory = directory
        self.variables = dict(variables)
        self._started: list[Running] = []

    def start(self, *arguments: str, patient: Sequence[str] = (COMMAND,), **variables: str) -> Running:
        """Start a command. ``patient`` are the parts of a worker that have a longer limit for their end."""
        constants = {f"{module}._STOP_SECONDS": HANG_SECONDS for module in patient if arguments[:1] == ("run",)}
        request = Request([*arguments], str(self.directory), self.variables | variables, constants)
        running = Running(ForkedProcess(request), " ".join(("dynadex", *arguments)))
        self._started.append(running)
        return running

    def end_all(self) -> None:
        for running in self._started:
            running.close()
            # pytest shows it when the test failed.
            print(running)


@contextmanager
def commands_in(directory: Path, **variables: str) -> Iterator[Commands]:
    """Yield a starter of commands. Processes that run at the end of the block are killed."""
    commands = Commands(directory, environment(**variables))
    try:
        yield commands
    finally:
        commands.end_all()
