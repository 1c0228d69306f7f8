"""Ctrl-C while `dynadex init` waits for the table leaves nothing behind."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

from tests.process.processes import commands_in


def test_nothing_is_half_written(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, commands_in(tmp_path) as commands:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        running = commands.start("init", "birds", "--dir", "new", "--dynamodb", url)
        # It has asked the table, and will not be answered.
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            running.send(signal.SIGINT)
            running.wait_for_line("stopping .*once more")
            assert running.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert list(tmp_path.iterdir()) == []
