"""`dynadex deploy` prints the command that it runs, and reports what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HANG_SECONDS

_NPX = """#!{python}
import json, os, sys
print(json.dumps([os.getcwd(), *sys.argv[1:]]))
sys.exit(7)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "songs.py").write_text("from dynadex import Sync\nsync = Sync(table='songs', index='tunes')\n")
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "cdk.json").write_text("{}")
    (tmp_path / "bin").mkdir()
    npx = tmp_path / "bin" / "npx"
    npx.write_text(_NPX.format(python=sys.executable))
    npx.chmod(0o755)
    return tmp_path


def run(folder: Path, *arguments: str, path: str = "bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dynadex", "deploy", *arguments],
        cwd=folder,
        env={"PATH": str(folder / path), "AWS_PROFILE": "staging"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def test_deploy_prints_and_runs_the_command_and_returns_its_exit_code(folder: Path) -> None:
    done = run(folder, "songs:sync", "--region", "us-east-1", "--region", "eu-west-1", "--yes")
    assert done.returncode == 7
    directory, *arguments = json.loads(done.stdout)
    assert directory == str(folder / "infra")
    assert arguments == [
        "--yes", "aws-cdk@2", "deploy", "--all", "-c", "sync=songs:sync", "-c", "regions=us-east-1,eu-west-1",
        "--require-approval", "never",
    ]  # fmt: skip
    lines = done.stderr.splitlines()
    assert lines[0] == "dynadex: table songs, index tunes; profile staging"
    assert lines[1] == f"dynadex: in {folder / 'infra'}: npx {' '.join(arguments)}"


@pytest.mark.parametrize("name", ["eu-west", "us-east-1,eu-west-1", "US-EAST-1", ""])
def test_invalid_region_is_an_error_before_anything_runs(folder: Path, name: str) -> None:
    done = run(folder, "songs:sync", "--region", name, "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert "it is not a valid region name. For example: --region eu-west-1." in done.stderr


def test_app_runs_in_the_environment_of_make(folder: Path) -> None:
    python = folder / ".venv-infra" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    done = run(folder, "songs:sync", "--yes")
    assert json.loads(done.stdout)[7:9] == ["--app", f"{python} app.py"]


def test_app_can_import_the_module_of_the_sync(folder: Path) -> None:
    """The CDK CLI runs the app in its folder, where the module is not."""
    (folder / "bin/npx").write_text(f'#!/bin/sh\nexec {sys.executable} -c "import songs; print(songs.sync.index)"\n')
    done = run(folder, "songs:sync", "--yes")
    assert (done.returncode, done.stdout) == (0, "tunes\n"), done.stderr


def test_destroy_removes_the_stacks(folder: Path) -> None:
    done = run(folder, "songs:sync", "--destroy", "--existing-table", "--yes")
    assert json.loads(done.stdout)[3:] == [
        "destroy", "--all", "-c", "sync=songs:sync", "-c", "existing_table=yes", "--force"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "forwarded"),
    [
        (["--concurrency", "2"], ["--all", "-c", "sync=songs:sync", "--force", "--concurrency", "2"]),
        (["Dynadex*", "--verbose"], ["-c", "sync=songs:sync", "--force", "Dynadex*", "--verbose"]),
    ],
)
def test_further_arguments_are_forwarded_and_named_stacks_replace_all(
    folder: Path, arguments: list[str], forwarded: list[str]
) -> None:
    done = run(folder, "songs:sync", "--destroy", "--yes", "--", *arguments)
    assert json.loads(done.stdout)[4:] == forwarded


def test_dry_run_runs_nothing(folder: Path) -> None:
    done = run(folder, "songs:sync", "--dry-run", path="nowhere")
    assert (done.returncode, done.stdout) == (0, "")
    assert "npx --yes aws-cdk@2 deploy --all -c sync=songs:sync" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "path", "message"),
    [
        (["songs:sync"], "bin", "Cannot deploy songs:sync: standard input is not a terminal. To confirm, pass --yes."),
        (["songs:sync", "--yes"], "nowhere", "Cannot run the CDK CLI: npx is not installed. Install Node.js"),
        (
            ["songs:sync", "--yes", "--app", "none"],
            "bin",
            "/none: it does not contain a cdk.json. Run the command in a clone of dynadex",
        ),
        (["tunes:sync", "--yes"], "bin", "Cannot load tunes:sync: there is no module 'tunes'"),
    ],
)
def test_missing_prerequisite_is_an_error(folder: Path, arguments: list[str], path: str, message: str) -> None:
    done = run(folder, *arguments, path=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
