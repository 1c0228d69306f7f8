"""Each extra brings what its part imports; each Python that the package claims, and this machine has, can run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.package.environments import ROOT, UV, build, constraints, installed, run, with_everything_local

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# What of the package an extra is for: modules, or with a dot at the end all modules of a folder.
PARTS = {
    "": (
        "dynadex",
        "dynadex.cli.",
        "dynadex.worker.worker",
        "dynadex.refill.refill",
        "dynadex.verify.verify",
        "dynadex.scaffold.",
    ),
    "worker": ("dynadex.worker.http", "dynadex.worker.metrics", "dynadex.http.server"),
    "search": ("dynadex.search.",),
    "aws": ("dynadex.aws.handlers", "dynadex.aws.connection", "dynadex.aws.deployed", "dynadex.aws.observation"),
    "local": ("dynadex.",),
}
# What a part imports only when it is used.
USED = {
    "": "",
    "worker": "from dynadex.worker.metrics import WorkerMetrics; WorkerMetrics('songs')",
    "search": "from dynadex.http.auth import TokenAuth; TokenAuth(bytes(32)).token(60); import uvicorn, limits",
    "aws": "import mangum, aws_lambda_powertools.utilities.batch",
    "local": "import ministack, osmem_server",
}
_IMPORT_ALL = """
import importlib, pkgutil, sys
for part in sys.argv[1:]:
    module = importlib.import_module(part.rstrip("."))
    if part.endswith("."):
        for found in pkgutil.walk_packages(module.__path__, part):
            # It runs the command line.
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
"""
_OLDEST, _NEWEST = 11, 14


def supported() -> list[str]:
    """As the classifiers say."""
    pattern = r"Programming Language :: Python :: (3\.\d+)"
    return [found[1] for one in PROJECT["project"]["classifiers"] if (found := re.fullmatch(pattern, one))]


def on_this_machine() -> dict[str, str]:
    """Interpreters of those versions, by version; also those that pyenv has and its commands hide."""
    folders = [str(one) for one in Path(os.environ.get("PYENV_ROOT", "none")).glob("versions/*/bin")]
    search = os.environ | {"PATH": os.pathsep.join([*folders, os.environ["PATH"]])}
    found = {}
    for version in supported():
        asked = subprocess.run(
            [UV, "python", "find", "--no-python-downloads", version],
            env=search, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if asked.returncode == 0:
            found[version] = asked.stdout.strip()
    return found


# Then the unit tests run on each of them, too.
FULL_LENGTH = "PACKAGE_SCALE" in os.environ
PYTHONS = on_this_machine()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


def test_every_extra_has_its_part() -> None:
    assert PARTS.keys() == USED.keys() == {"", *PROJECT["project"]["optional-dependencies"]}


@pytest.mark.parametrize("extra", PARTS)
def test_an_extra_brings_what_its_part_imports(extra: str, wheel: Path, tmp_path: Path) -> None:
    wanted = f"dynadex[{extra}] @ {wheel.as_uri()}" if extra else f"dynadex @ {wheel.as_uri()}"
    python = installed(tmp_path, wheel, ["-c", constraints(tmp_path), wanted]) / "python"
    run(python, "-W", "error", "-c", _IMPORT_ALL, *PARTS[extra], cwd=tmp_path)
    run(python, "-c", USED[extra], cwd=tmp_path)


def test_the_versions_that_are_named_agree() -> None:
    versions = [f"3.{minor}" for minor in range(_OLDEST, _NEWEST + 1)]
    assert supported() == versions
    assert PROJECT["project"]["requires-python"] == f">={versions[0]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == versions[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{versions[0].replace('.', '')}"


def test_the_python_of_this_run_is_one_of_them() -> None:
    assert f"3.{sys.version_info.minor}" in PYTHONS


@pytest.mark.parametrize("version", PYTHONS)
def test_each_python_of_this_machine_imports_all_of_it_and_writes_a_project(
    version: str, wheel: Path, tmp_path: Path
) -> None:
    programs = with_everything_local(tmp_path, wheel, PYTHONS[version])
    assert f"Python {version}." in run(programs / "python", "--version")
    run(programs / "python", "-W", "error", "-c", _IMPORT_ALL, "dynadex.", cwd=tmp_path)
    written = run(programs / "dynadex", "init", "--dir", "new", cwd=tmp_path)
    assert "new/songs.py" in written.splitlines()
    run(programs / "python", "-W", "error", "songs.py", cwd=tmp_path / "new")
    if FULL_LENGTH:
        requirements: list[str | Path] = ["--require-hashes", "-r", ROOT / "requirements" / "dev.txt"]
        run(UV, "pip", "install", "-q", "--python", programs / "python", *requirements)
        run(programs / "python", "-m", "pytest", "tests/unit", "-q", "-p", "no:cacheprovider", cwd=ROOT)
