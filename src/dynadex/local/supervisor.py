"""A stack that outlives no one: run it until a signal, in the foreground or behind, find it, end it.

``python -m dynadex.local.supervisor OPTIONS`` is the one behind: on standard output it tells whoever started it,
in one JSON line, that the stack is ready or why not; from then on it writes to its log only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from dynadex.errors import LocalStackError
from dynadex.local.child import tail
from dynadex.local.stack import LocalStack
from dynadex.local.state import RunningStack, StackFolder

_CHECK_SECONDS = 0.2
_STOP_SECONDS = 15.0
_STOP_POLL_SECONDS = 0.02
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Options:
    """What ``dynadex local up`` can be told."""

    directory: str
    dynamodb_url: str | None = None
    opensearch_url: str | None = None
    dynamodb_port: int | None = None
    opensearch_port: int | None = None

    def stack(self) -> LocalStack:
        """The stack asked for, not started."""
        arguments = asdict(self)
        return LocalStack(Path(arguments.pop("directory")), **arguments)


def run(options: Options, on_ready: Callable[[RunningStack], None]) -> None:
    """Run a stack until Ctrl-C, SIGTERM or SIGHUP; raises LocalStackError when one of its processes ends."""
    with _interrupted_once(), contextlib.suppress(KeyboardInterrupt), options.stack() as stack:
        on_ready(stack.running)
        while True:
            time.sleep(_CHECK_SECONDS)
            stack.check()


def detach(options: Options) -> RunningStack:
    """Start a supervisor behind, in a session of its own, and wait until its stack is ready."""
    folder = StackFolder(Path(options.directory))
    folder.prepare()
    arguments = json.dumps(asdict(options))
    with folder.supervisor_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "dynadex.local.supervisor", arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        with process.stdout as answer:
            told = json.loads(answer.read() or "{}")
    except BaseException:
        process.terminate()
        raise
    if "error" in told:
        raise LocalStackError(*told["error"])
    running = folder.read()
    if "ready" not in told or running is None:
        ending = "\n  ".join([f"The end of its log {folder.supervisor_log}:", *tail(folder.supervisor_log)])
        raise LocalStackError("start", "the local stack", f"its supervisor ended ({process.wait()})", ending)
    return running


def find(directory: Path) -> RunningStack | None:
    """The stack that runs in the directory, if one does; raises LocalStackError while one is just starting."""
    folder = StackFolder(directory)
    if not folder.is_locked():
        return None
    running = folder.read()
    if running is None:
        reason = "one is just starting or stopping there"
        raise LocalStackError("tell what runs in", str(folder.path), reason, "Ask again in a second.")
    return running


def stop(directory: Path) -> RunningStack | None:
    """Stop the stack that runs in the directory and wait until it is gone; None when none runs."""
    running = find(directory)
    if running is None:
        return None
    folder = StackFolder(directory)
    # The lock is held, and whoever takes it replaces the state file first: this pid is the holder's.
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while folder.is_locked():
        if time.monotonic() > deadline:
            reason = f"process {running.pid} still runs {_STOP_SECONDS:g} s after SIGTERM"
            hint = f"`kill -9 {running.pid}` ends it, and the backends with it."
            raise LocalStackError("stop the local stack in", str(folder.path), reason, hint)
        time.sleep(_STOP_POLL_SECONDS)
    return running


@contextlib.contextmanager
def _interrupted_once() -> Iterator[None]:
    # The first signal is a KeyboardInterrupt wherever we are, starting included; later ones are ignored, so an
    # impatient second Ctrl-C does not interrupt the stopping. Who ignores a signal (nohup) keeps ignoring it.
    heeded = [number for number in _ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in heeded:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)
    # The reader waits for the end of the pipe; whatever is printed later belongs in the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _main(options: Options) -> None:
    ready = False

    def on_ready(_running: RunningStack) -> None:
        nonlocal ready
        ready = True
        _tell({"ready": True})

    try:
        run(options, on_ready)
    except LocalStackError as error:
        print(error, file=sys.stderr)
        if not ready:
            _tell({"error": error.args})
        sys.exit(1)


if __name__ == "__main__":
    _main(Options(**json.loads(sys.argv[1])))
