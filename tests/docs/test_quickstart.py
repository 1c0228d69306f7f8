"""The commands of docs/quickstart.md, as printed, in an empty folder next to a clone."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks_of
from tests.package.environments import add_requirements, clone, constraints
from tests.process.processes import Running, environment, started
from tests.waiting import HANG_SECONDS, wait_for

DOCUMENT = ROOT / "docs/quickstart.md"


class Reader:
    """A reader who follows the quickstart, with a terminal in an empty folder."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.variables = environment(**variables)
        # The installed wheel runs, not this checkout.
        self.variables.pop("PYTHONPATH", None)
        self._worker: Running | None = None

    def types(self, command: str) -> str:
        """Run a command, which must succeed, and return its output."""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.variables,
            capture_output=True, text=True, check=False, timeout=HANG_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def pastes(self, printed: str) -> None:
        """Set the variables in the printed lines that begin with `export`."""
        lines = [line for line in printed.splitlines() if line.startswith("export ")]
        assert lines, printed
        assignments = (word.split("=", 1) for line in lines for word in shlex.split(line)[1:])
        self.variables |= dict(assignments)

    def activates(self, command: str) -> None:
        """Activate an environment, and keep the search path that this sets."""
        self.variables["PATH"] = self.types(f'{command} && printf %s "$PATH"')

    def runs_python(self, block: Block) -> None:
        """Run a block as a separate script."""
        (self.folder / (block.saved_as or "step.py")).write_text(block.text)
        self.types(f"python {block.saved_as or 'step.py'}")

    def leaves_running(self, command: str) -> Running:
        self._worker = started(["bash", "-c", f"exec {command}"], self.folder, self.variables)
        self._worker.wait_for_line("reading the stream")
        return self._worker

    def finds(self, command: str, title: str) -> None:
        """Wait until a search returns only this title."""

        def is_searchable() -> bool:
            hits = json.loads(self.types(command.replace("curl ", "curl -sS ")))["hits"]["hits"]
            return [hit["_source"]["title"] for hit in hits] == [title]

        wait_for(is_searchable, title, every_seconds=0.1)

    def leaves(self) -> None:
        if self._worker:
            self._worker.close()
        subprocess.run(["bash", "-c", "dynadex local down"], cwd=self.folder, env=self.variables, check=False)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    folder, variables = clone(tmp_path)
    (folder.parent / "songs").mkdir()
    reader = Reader(folder.parent / "songs", {**variables, "PIP_CONSTRAINT": str(constraints(tmp_path))})
    try:
        yield reader
    finally:
        reader.leaves()


def commands(block: Block) -> list[str]:
    """The commands, which show no output."""
    assert all(not step.shown for step in block.steps())
    return [step.command for step in block.steps()]


def test_quickstart_works_as_written(reader: Reader) -> None:
    start, table, module, follow, find, fill = blocks_of(DOCUMENT)
    make, create, activate, install, up = commands(start)
    reader.types(make)
    reader.types(create)
    reader.activates(activate)
    add_requirements(reader.folder / ".venv")
    reader.types(install)
    assert reader.types("command -v dynadex").strip() == str(reader.folder / ".venv/bin/dynadex")
    reader.pastes(reader.types(up))
    assert {"AWS_ENDPOINT_URL", "OPENSEARCH_URL"} <= reader.variables.keys()
    reader.runs_python(table)
    assert module.saved_as == "songs.py"
    reader.runs_python(module)

    [run] = commands(follow)
    worker = reader.leaves_running(run)
    write, search = commands(find)
    reader.types(write)
    reader.finds(search, "The Rakes of Mallow")

    # Ctrl-C ends it, and the next start continues where it stopped.
    assert worker.stop(signal.SIGINT) == 0
    worker.close()
    reader.types(write.replace("The Rakes of Mallow", "The Rakes of Kildare"))
    reader.leaves_running(run)
    reader.finds(search, "The Rakes of Kildare")

    refill, verify = commands(fill)
    reader.types(refill)
    assert "1 item, 1 document." in reader.types(verify)

    assert "`dynadex local down` stops the backends" in DOCUMENT.read_text(encoding="utf-8")
    assert "stopped" in reader.types("dynadex local down")
