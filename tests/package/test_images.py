"""The Dockerfiles install what they need from the folder in which they are built: their steps run without Docker."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.package.environments import ROOT, UV, build, constraints, run, with_everything_local


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `dynadex init` of the wheel generated, without a table."""
    folder = tmp_path_factory.mktemp("project")
    programs = with_everything_local(folder, build(folder / "dist"))
    run(programs / "dynadex", "init", "--dir", "songs-search", cwd=folder)
    return folder / "songs-search"


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile, with their arguments."""
    for line in text.splitlines():
        if match := re.match(r"([A-Z]+) (.+)", line):
            yield match[1], match[2]


def image(dockerfile: str, context: Path, folder: Path) -> Path:
    """Copy the files and install the packages of a Dockerfile; return the programs of a new environment."""
    run(UV, "venv", "-q", "--python", sys.executable, folder / "venv")
    files = folder / "files"
    files.mkdir()
    for instruction, arguments in instructions(dockerfile.replace("${MODULE}", "songs.py")):
        if instruction == "COPY" and not arguments.startswith("--from"):
            *patterns, _ = arguments.split()
            matches = [path for pattern in patterns for path in context.glob(pattern)]
            assert matches, f"COPY {arguments}: no file"
            for path in matches:
                shutil.copy(path, files)
        elif instruction == "RUN" and (match := re.search(r"pip install --no-cache-dir (.+)", arguments)):
            python = folder / "venv/bin/python"
            run(UV, "pip", "install", "-q", "--python", python, "-c", constraints(folder), *match[1].split(), cwd=files)
    return folder / "venv/bin"


def test_image_of_compose_runs_the_worker_of_the_project(project: Path, tmp_path: Path) -> None:
    worker = yaml.safe_load((project / "compose.yaml").read_text())["services"]["worker"]
    programs = image(worker["build"]["dockerfile_inline"], project, tmp_path)
    assert 'ENTRYPOINT ["dynadex"]' in worker["build"]["dockerfile_inline"]
    assert worker["command"] == ["run", "songs:sync"]
    # Of the commands that load the module, this one needs no backend.
    run(programs / "dynadex", "deploy", "songs:sync", "--dry-run", cwd=tmp_path / "files")


def test_image_of_ops_serves_metrics(project: Path, tmp_path: Path) -> None:
    programs = image((ROOT / "ops/Dockerfile").read_text(encoding="utf-8"), project, tmp_path)
    run(programs / "python", "-c", "import songs, dynadex.worker.http, dynadex.worker.metrics", cwd=tmp_path / "files")


def test_image_installs_a_release_by_changing_the_line_of_the_requirements(project: Path, tmp_path: Path) -> None:
    """The wheel is then not in the folder. COPY accepts a pattern without a match if another one has a match."""
    text = (project / "requirements.txt").read_text()
    [comment] = [line for line in text.splitlines() if line.startswith("# To install the release")]
    [line] = [line for line in text.splitlines() if not line.startswith("#")]
    assert line.endswith("[worker]")
    assert comment.endswith(f": dynadex{line[line.index('[') :]}")
    context = tmp_path / "context"
    context.mkdir()
    (context / "songs.py").touch()
    # Stands for dynadex, which is on no index.
    (context / "requirements.txt").write_text(text.replace(line, "orjson"))
    programs = image((ROOT / "ops/Dockerfile").read_text(encoding="utf-8"), context, tmp_path)
    run(programs / "python", "-c", "import orjson")
