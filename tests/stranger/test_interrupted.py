"""Ctrl-C while a command waits for a table that does not answer."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.process.processes import Running, commands_in


@contextmanager
def asking_in_vain(folder: Path, *arguments: str) -> Iterator[Running]:
    """A command that has asked the table, and will not be answered."""
    with socket.create_server(("127.0.0.1", 0)) as silent, commands_in(folder) as commands:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = commands.start(*arguments, "--dynamodb", url)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            running.send(signal.SIGINT)
            running.wait_for_line("stopping .*again to stop")
            yield running


def test_once_more_ends_it_and_nothing_is_half_written(tmp_path: Path) -> None:
    with asking_in_vain(tmp_path, "init", "birds", "--dir", "new") as running:
        assert running.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert list(tmp_path.iterdir()) == []


def test_a_worker_ends_all_the_same(tmp_path: Path) -> None:
    with asking_in_vain(tmp_path, "run", "dynadex.demo.lessons:sync") as running:
        # By itself, before the table's time-out; after how many seconds is not tested on machines that may be busy.
        assert running.wait() == 1
        running.wait_for_line("stopped without waiting for requests in flight")
