"""Ctrl-C while a command waits for a table that does not respond."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.process.processes import Running, commands_in


@contextmanager
def command_without_response(folder: Path, *arguments: str) -> Iterator[Running]:
    """Yield a command that waits for a response of the table and was interrupted once."""
    with socket.create_server(("127.0.0.1", 0)) as silent, commands_in(folder) as commands:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = commands.start(*arguments, "--dynamodb", url, patient=())
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            running.send(signal.SIGINT)
            running.wait_for_line("stopping .*again to stop")
            yield running


def test_second_interrupt_ends_init_without_leaving_files(tmp_path: Path) -> None:
    with command_without_response(tmp_path, "init", "birds", "--dir", "new") as running:
        assert running.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert list(tmp_path.iterdir()) == []


def test_worker_stops_without_a_response(tmp_path: Path) -> None:
    with command_without_response(tmp_path, "run", "dynadex.demo.lessons:sync") as running:
        # It ends before the timeout of the table. The duration is not tested, because machines may be busy.
        assert running.wait() == 1
        running.wait_for_line("stopped without waiting for requests in flight")
