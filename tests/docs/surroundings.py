"""Environment of a document's commands: a folder with modules, tables with items, a search cluster, a service."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from dynadex import clients
from dynadex.refill.rebuild import RebuildOptions, rebuild
from dynadex.refill.refill import RefillOptions, refill
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.state.checkpoints import Checkpoints
from tests.docs.blocks import Block, Step
from tests.docs.tables import MODULES, SYNCS
from tests.process.processes import Running, environment, started
from tests.waiting import HANG_SECONDS

# An error response makes curl fail, and show the response.
_CURL = "silent\nshow-error\nfail-with-body\n"
# A rebuild without the wait for other writers: there are none.
_REBUILD = """
from unittest.mock import patch

from dynadex.cli import main

with patch("dynadex.refill.plan.fence_seconds", lambda *_: 0):
    main()
"""
REBUILD_FILE = "rebuild_at_once.py"
_ENDLESS = "dynadex run "
_FOLLOWS = "reading the stream as worker"


class Surroundings:
    """One folder, running backends, and an environment in ``programs``.

    ``names`` maps placeholders of the documents to real names.
    """

    def __init__(
        self, folder: Path, programs: Path, settings: RuntimeSettings, service: str, names: Mapping[str, str],
        **variables: str,
    ) -> None:  # fmt: skip
        self._folder = folder
        self.settings = settings
        self._python = programs / "python"
        self._names = names
        self._running: dict[str, Running] = {}
        self._pasted: list[str] = []
        self._printed = ""
        self._variables = environment(
            PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
            CURL_HOME=str(folder),
            URL=service,
            DYNADEX_DYNAMODB_URL=settings.dynamodb_url or "",
            OPENSEARCH_URL=settings.opensearch_url,
            # A new worker waits this long for the lease of one that was killed.
            DYNADEX_WORKER_LEASE_SECONDS="1",
            **variables,
        )
        # The installed wheel runs, not this checkout.
        self._variables.pop("PYTHONPATH", None)
        for name, text in {".curlrc": _CURL, REBUILD_FILE: _REBUILD, **MODULES}.items():
            (folder / name).write_text(text)

    def write(self, name: str, text: str) -> Path:
        """Write a file to the current folder of the commands, and return the folder."""
        (self._folder / name).write_text(text + "\n")
        return self._folder

    def read(self, name: str) -> str:
        """Return the text of a file in the current folder of the commands."""
        return (self._folder / name).read_text()

    def run_python(self, block: Block) -> str:
        """Run a block after the ones before it, and return its output. Save it if the document names a file."""
        if block.saved_as:
            self.write(block.saved_as, block.text)
        self._pasted.append(block.text)
        done = subprocess.run(
            [str(self._python), "-W", "error", "-c", "\n".join(self._pasted)],
            cwd=self._folder, env=self._variables,
            capture_output=True, text=True, check=False, timeout=HANG_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.place}: {done.stderr}"
        before, self._printed = self._printed, done.stdout
        return self._printed.removeprefix(before)

    def run(self, step: Step, exit_code: int = 0) -> list[str]:
        """Run a command in a shell and return its output. A worker is left running."""
        command = step.command
        for placeholder, real in self._names.items():
            command = command.replace(placeholder, real)
        if step.program == "cd":
            self._folder /= command.removeprefix("cd ")
            return []
        # Starting the same command again implies that the reader has ended the earlier one.
        if before := self._running.pop(command, None):
            _end(before)
        if command.startswith(_ENDLESS) and not exit_code:
            self._running[command] = self._by_shell(f"exec {command}")
            self._running[command].wait_for_line(_FOLLOWS)
            return []
        running = self._by_shell(command)
        try:
            assert running.wait() == exit_code, str(running)
            return [*running.errors, *running.output]
        finally:
            running.close()

    def _by_shell(self, command: str) -> Running:
        return started(["bash", "-c", command], self._folder, self._variables)

    def runtime(self, name: str) -> Runtime:
        """Return the Sync of a module, connected."""
        return connect(SYNCS[name], self.settings)

    def fill(self, name: str) -> None:
        """Backfill an index, so that it equals its table."""
        refill(self.runtime(name), RefillOptions(), threading.Event())

    def fill_another(self, name: str) -> None:
        """Build a second index and promote it, without waiting for other writers: none exist."""
        with patch("dynadex.refill.plan.fence_seconds", lambda *_: 0):
            rebuild(self.runtime(name), RebuildOptions(RefillOptions()), threading.Event())

    def declare_stale(self, name: str) -> None:
        """Mark the index as stale, as a worker does when the stream was trimmed."""
        Checkpoints(self.runtime(name).state(), self.runtime(name).clock).mark_stale("a shard was trimmed")

    def edit(self, file: str, name: str, value: str) -> None:
        """Give a field of a module's mapping another type."""
        path = self._folder / file
        lines = path.read_text().splitlines()
        [place] = [place for place, line in enumerate(lines) if line.strip().startswith(f'"{name}": {{')]
        lines[place] = f'        "{name}": {value},'
        path.write_text("\n".join(lines))

    def end(self) -> None:
        """Stop every worker cleanly."""
        for running in self._running.values():
            _end(running)

    def clean(self) -> None:
        """Restore the initial state of the backends: no index, no progress."""
        for running in self._running.values():
            running.close()
        dynamodb = clients.dynamodb(self.settings)
        for table in dynamodb.list_tables()["TableNames"]:
            if table.endswith("-dynadex"):
                dynamodb.delete_table(TableName=table)
        with clients.opensearch(self.settings) as search:
            for name in search.indices.get(index="*"):
                search.indices.delete(index=name)


def _end(running: Running) -> None:
    code = running.stop()
    # A worker on a slow machine may exceed the time in which it must end.
    assert code == 0 or "stopped without waiting for requests in flight" in str(running), str(running)
    running.close()
