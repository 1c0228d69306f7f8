"""The package as people get it: built, and installed where there is nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What it printed; it must succeed."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, check=False, cwd=cwd, env=variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [found] = built.glob("*.whl")
    return found


def installed(folder: Path, wheel: Path, requirements: Sequence[str | Path]) -> Path:
    """The `bin` of a new environment with the wheel and these requirements, and nothing of this checkout."""
    run(UV, "venv", "-q", "--python", sys.executable, folder / "venv")
    python = folder / "venv/bin/python"
    run(UV, "pip", "install", "-q", "--python", python, *requirements)
    run(UV, "pip", "install", "-q", "--python", python, "--no-deps", wheel)
    return folder / "venv/bin"


def test_the_wheel_has_all_it_needs_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    wanted = ("py.typed", "demo/songs.jsonl.gz", "search/page/index.html", "run/refill.asl.json")
    assert [one for one in wanted if f"dynadex/{one}" not in names] == []
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dynadex"}
    assert [name for name in names if "test_" in name and name.endswith(".py")] == []
    assert [name for name in names if name.endswith(".pyc")] == []


def test_the_source_distribution_has_the_tests_and_the_documents(built: Path) -> None:
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"src/dynadex/py.typed", "docs/guarantees.md", "tests/unit/test_sync.py", "README.md", "LICENSE"}
    assert wanted <= names


def test_with_everything_local_the_demo_says_what_it_can(wheel: Path, tmp_path: Path) -> None:
    programs = installed(tmp_path, wheel, ["--require-hashes", "-r", ROOT / "requirements" / "local.txt"])
    assert "dynadex 0." in run(programs / "dynadex", "--version", cwd=tmp_path)
    assert "--regions" in run(programs / "dynadex", "demo", "--help", cwd=tmp_path)
    (tmp_path / "uses_dynadex.py").write_text("from dynadex import Sync\nsync = Sync(table='songs', index='songs')\n")
    told = run(programs / "python", "-c", "import dynadex, uses_dynadex; print(dynadex.__file__)", cwd=tmp_path)
    assert str(tmp_path) in told


def test_without_extras_what_needs_one_says_which(wheel: Path, tmp_path: Path) -> None:
    # What the core needs, at the versions that the others were tested with.
    constraints = tmp_path / "constraints.txt"
    lines = (ROOT / "requirements" / "local.txt").read_text().splitlines()
    constraints.write_text("\n".join(line.removesuffix(" \\") for line in lines if "==" in line))
    core: list[str | Path] = ["-c", constraints, "boto3", "opensearch-py", "orjson", "rich", "typer"]
    programs = installed(tmp_path, wheel, core)
    (tmp_path / "songs.py").write_text("from dynadex import Sync\nsync = Sync(table='songs', index='songs')\n")
    for command, extra in ((["demo", "--no-browser"], "local"), (["run", "songs:sync", "--http", "0"], "worker")):
        done = subprocess.run(
            [str(programs / "dynadex"), *command], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
        )
        assert done.returncode == 1
        assert f"pip install 'dynadex[{extra}]'" in done.stderr, done.stderr
