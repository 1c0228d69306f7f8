"""The wheel and the source distribution, built and installed into new environments."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.package.environments import build, constraints, installed, run, seeded, with_everything_local
from tests.waiting import HANG_SECONDS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [path] = built.glob("*.whl")
    return path


def test_wheel_has_its_data_files_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data_files = ("py.typed", "demo/songs.jsonl.gz", "http/page/index.html", "aws/refill.asl.json")
    assert [file for file in data_files if f"dynadex/{file}" not in names] == []
    assert {name.split("/")[0].split("-")[0] for name in names} == {"dynadex"}
    assert [name for name in names if "test_" in name and name.endswith(".py")] == []
    assert [name for name in names if name.endswith(".pyc")] == []


def test_source_distribution_has_tests_and_docs(built: Path) -> None:
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {"src/dynadex/py.typed", "docs/guarantees.md", "tests/unit/test_sync.py", "README.md", "LICENSE"}
    assert expected <= names


def test_extra_local_installs_a_working_command(wheel: Path, tmp_path: Path) -> None:
    programs = with_everything_local(tmp_path, wheel)
    assert "dynadex 0." in run(programs / "dynadex", "--version", cwd=tmp_path)
    assert "--regions" in run(programs / "dynadex", "demo", "--help", cwd=tmp_path)
    (tmp_path / "uses_dynadex.py").write_text("from dynadex import Sync\nsync = Sync(table='songs', index='songs')\n")
    output = run(programs / "python", "-c", "import dynadex, uses_dynadex; print(dynadex.__file__)", cwd=tmp_path)
    assert str(tmp_path) in output


def test_command_without_its_extra_names_the_extra(wheel: Path, tmp_path: Path) -> None:
    core: list[str | Path] = ["-c", constraints(tmp_path), "boto3", "opensearch-py", "orjson", "rich", "typer"]
    programs = installed(tmp_path, wheel, core)
    (tmp_path / "songs.py").write_text("from dynadex import Sync\nsync = Sync(table='songs', index='songs')\n")
    for command, extra in ((["demo", "--no-browser"], "local"), (["run", "songs:sync", "--http", "0"], "worker")):
        done = subprocess.run(
            [str(programs / "dynadex"), *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=HANG_SECONDS,
        )
        assert done.returncode == 1
        assert f"pip install 'dynadex[{extra}]'" in done.stderr, done.stderr


def test_extra_that_a_message_names_can_be_added_to_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    """pip then does not search an index for dynadex."""
    programs = seeded(tmp_path / "venv")
    run(programs / "pip", "install", "-q", "--no-index", wheel)
    run(programs / "pip", "uninstall", "-q", "--yes", "prometheus-client", "osmem-server")
    variables = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    variables |= {"PIP_CONSTRAINT": str(constraints(tmp_path))}
    (tmp_path / "songs.py").write_text("from dynadex import Sync\nsync = Sync(table='songs', index='songs')\n")

    def printed(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path, env=variables
        )
        return done.stdout + done.stderr

    for command in ("dynadex run songs:sync --http 0", "dynadex local up --engine memory --detach"):
        [remedy] = re.findall(r"pip install 'dynadex\[\w+\]'", printed(command))
        assert "Successfully installed" in printed(f"{remedy} --retries 1")
    run(programs / "python", "-c", "import osmem_server, prometheus_client")
