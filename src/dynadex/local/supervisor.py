"""Run a local stack in the foreground or detached until a signal, find it, and stop it.

``python -m dynadex.local.supervisor OPTIONS`` is the detached process. It prints one JSON line on standard output: that
the stack is ready, or why it cannot start. From then on, it writes only to its log.
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
from typing import TYPE_CHECKING

from dynadex.errors import LocalStackError
from dynadex.local.child import tail
from dynadex.local.engine import Engine
from dynadex.local.state import RunningStack, StackFolder

if TYPE_CHECKING:
    from dynadex.local.stack import LocalStack

_CHECK_SECONDS = 0.2
_STOP_TIMEOUT_SECONDS = 15.0
_STOP_POLL_SECONDS = 0.02
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Options:
    """Options of ``dynadex local up``."""

    directory: str
    dynamodb_url: str | None = None
    opensearch_url: str | None = None
    dynamodb_port: int | None = None
    opensearch_port: int | None = None
    engine: Engine = Engine.OPENSEARCH

    def stack(self) -> LocalStack:
        """Return the stack that the options describe, not started."""
        # Every start of the command line imports this module, and most do not start a stack.
        from dynadex.local.stack import LocalStack

        arguments = asdict(self)
        return LocalStack(Path(arguments.pop("directory")), **arguments | {"engine": Engine(self.engine)})


def run(options: Options, on_ready: Callable[[RunningStack], None]) -> None:
    """Run a stack until Ctrl-C, SIGTERM or SIGHUP; raise LocalStackError if one of its processes ends."""
    with _interrupted_once(), contextlib.suppress(KeyboardInterrupt), options.stack() as stack:
        on_ready(stack.running)
        while True:
            time.sleep(_CHECK_SECONDS)
            stack.check()


def detach(options: Options) -> RunningStack:
    """Start a supervisor in its own session and wait until its stack is ready."""
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
        with process.stdout as output:
            outcome = json.loads(output.read() or "{}")
    except BaseException:
        process.terminate()
        raise
    if "error" in outcome:
        raise LocalStackError(*outcome["error"])
    running = folder.read()
    if "ready" not in outcome or running is None:
        excerpt = "\n  ".join([f"The end of its log {folder.supervisor_log}:", *tail(folder.supervisor_log)])
        reason = f"its supervisor ended with exit code {process.wait()}"
        raise LocalStackError("start", "the local stack", reason, excerpt)
    return running


def find(directory: Path) -> RunningStack | None:
    """Return the stack that runs in the directory, or None; raise LocalStackError while one starts or stops."""
    folder = StackFolder(directory)
    if not folder.is_locked():
        return None
    running = folder.read()
    if running is None:
        reason = "one is starting or stopping there"
        raise LocalStackError("find the local stack in", str(folder.path), reason, "Try again in a second.")
    return running


def stop(directory: Path) -> RunningStack | None:
    """Stop the stack that runs in the directory, wait until it has ended, and return it; None if none runs."""
    running = find(directory)
    if running is None:
        return None
    folder = StackFolder(directory)
    # The holder of the lock replaces the state file before anything else, so this is the holder's pid.
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
    while folder.is_locked():
        if time.monotonic() > deadline:
            reason = f"process {running.pid} still runs {_STOP_TIMEOUT_SECONDS:g} s after SIGTERM"
            hint = f"Run `kill -9 {running.pid}`, which also ends the backends."
            raise LocalStackError("stop the local stack in", str(folder.path), reason, hint)
        time.sleep(_STOP_POLL_SECONDS)
    return running


@contextlib.contextmanager
def _interrupted_once() -> Iterator[None]:
    """Raise KeyboardInterrupt for the first signal, even during start; ignore later ones, so that stopping completes.

    Signals that the process already ignores (nohup) stay ignored.
    """
    handled = [number for number in _ENDING_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in handled:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in handled}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _report(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)
    # The reader waits for the end of the pipe. Later output goes to the log.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _main(options: Options) -> None:
    ready = False

    def on_ready(_running: RunningStack) -> None:
        nonlocal ready
        ready = True
        _report({"ready": True})

    try:
        run(options, on_ready)
    except LocalStackError as error:
        print(error, file=sys.stderr)
        if not ready:
            _report({"error": error.args})
        sys.exit(1)


if __name__ == "__main__":
    _main(Options(**json.loads(sys.argv[1])))
