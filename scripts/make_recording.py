"""Record the terminal session shown in the README: `make recording`.

The output is that of the real commands, run against a local table of all songs with a worker. Only the timing is
changed: keys are typed evenly, and pauses are cut to 0.5 seconds.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from itertools import groupby
from pathlib import Path

import pyte
from animated_svg import Frame, Row, Run, svg

from dynadex import clients
from dynadex.demo.demo import create_table
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings

PICTURE = Path(__file__).parent.parent / "docs/images/recording.svg"
COLUMNS, ROWS = 112, 27
PROMPT = "$ "
COMMANDS = (
    "dynadex refill lessons:sync",
    "dynadex verify lessons:sync",
    "dynadex status lessons:sync",
)
KEY_SECONDS, READ_SECONDS, LAST_SECONDS, MAX_SECONDS = 0.05, 2.0, 5.0, 0.5
# Progress bars are redrawn ten times a second.
_FRAME_SECONDS = 0.1
_TIMEOUT_SECONDS = 120.0
# Colors of Rich's progress bars: finished, in progress, remaining.
_BAR = {"5faf00": "green", "ff005f": "magenta", "3a3a3a": "faint"}
_MODULE = "from dynadex.demo.lessons import sync\n"


class Terminal:
    """A shell in a pseudo-terminal, and every screen that it displayed."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self.frames: list[Frame] = []
        self._stream = pyte.ByteStream(self.screen)
        self._at_seconds = 0.0
        terminal, shell = pty.openpty()
        ioctl(shell, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._terminal = terminal
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"], cwd=folder,
            env=variables | {"PS1": PROMPT, "TERM": "xterm-256color"},
            stdin=shell, stdout=shell, stderr=shell, start_new_session=True,
        )  # fmt: skip
        os.close(shell)
        self._until_prompt()

    def run(self, command: str) -> None:
        """Type a command key by key and wait for the next prompt."""
        for key in command:
            os.write(self._terminal, key.encode())
            self._read(_TIMEOUT_SECONDS)
            self._at_seconds += KEY_SECONDS
            self._add_frame()
        self._at_seconds += READ_SECONDS / 4
        os.write(self._terminal, b"\r")
        self._until_prompt()
        self._at_seconds += READ_SECONDS

    def close(self) -> float:
        """End the shell; return when the last frame ends, in seconds."""
        os.close(self._terminal)
        self._shell.wait()
        return self._at_seconds + LAST_SECONDS

    def _until_prompt(self) -> None:
        deadline, before = time.monotonic() + _TIMEOUT_SECONDS, time.monotonic()
        started = False
        while not (started and self._current_line() == PROMPT.strip()):
            started = self._read(deadline - time.monotonic()) or started
            now = time.monotonic()
            if now - before >= _FRAME_SECONDS or self._current_line() == PROMPT.strip():
                self._at_seconds += min(now - before, MAX_SECONDS)
                self._add_frame()
                before = now

    def _current_line(self) -> str:
        return str(self.screen.display[self.screen.cursor.y]).rstrip()

    def _read(self, seconds: float) -> bool:
        if not select.select([self._terminal], [], [], max(0.0, seconds))[0]:
            raise TimeoutError("\n".join(self.screen.display))
        self._stream.feed(os.read(self._terminal, 65536))
        return True

    def _add_frame(self) -> None:
        rows = tuple(_row(self.screen, line) for line in range(ROWS))
        if not self.frames or self.frames[-1].rows != rows:
            self.frames.append(Frame(self._at_seconds, rows))


def _row(screen: pyte.Screen, line: int) -> Row:
    """Return the runs of a line, without the spaces around them."""
    characters = screen.buffer[line]
    cells = [(column, characters[column]) for column in range(COLUMNS)]
    runs = []
    for (color, bold), group in groupby(cells, lambda cell: (cell[1].fg, cell[1].bold)):
        run = list(group)
        text = "".join(cell.data for _, cell in run)
        if text.strip():
            runs.append(Run(run[0][0] + len(text) - len(text.lstrip()), text.strip(), _BAR.get(color, color), bold))
    return tuple(runs)


@contextmanager
def stage(folder: Path) -> Iterator[dict[str, str]]:
    """Run backends, a full table and a worker; yield the environment of a shell."""
    with LocalStack(folder / "stack", engine=Engine.MEMORY) as stack:
        endpoints = stack.endpoints
        dynamodb = clients.dynamodb(RuntimeSettings(dynamodb_url=endpoints.dynamodb))
        create_table(dynamodb, "lessons")
        load(dynamodb, "lessons", lessons(None), lambda _: None)
        (folder / "lessons.py").write_text(_MODULE)
        variables = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "DYNADEX_DYNAMODB_URL": endpoints.dynamodb,
            "OPENSEARCH_URL": endpoints.opensearch,
        }
        worker = subprocess.Popen(
            ["dynadex", "run", "lessons:sync"], cwd=folder, env=variables, stderr=subprocess.PIPE, text=True
        )
        assert worker.stderr
        try:
            next(line for line in worker.stderr if "reading the stream" in line)
            yield variables
        finally:
            worker.terminate()
            worker.communicate()


def main() -> None:
    """Record the session and write the SVG."""
    with tempfile.TemporaryDirectory() as name, stage(Path(name)) as variables:
        terminal = Terminal(Path(name), variables)
        for command in COMMANDS:
            terminal.run(command)
        end_seconds = terminal.close()
    title = "dynadex backfills an index from a table, verifies it, and shows its status"
    PICTURE.write_text(svg(terminal.frames, COLUMNS, end_seconds, title), encoding="utf-8")
    print(f"{PICTURE}: {end_seconds:.0f} s, {len(terminal.frames)} frames, {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
