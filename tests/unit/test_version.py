"""The version stands in one place, and everything that states it follows from there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import dynadex
from tests.docs.scripts import loaded

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/dynadex/__init__.py"
# The version of the project that `dynadex init` generates.
OTHER_VERSIONS = {ROOT / "src/dynadex/scaffold/templates/pyproject.toml.txt"}
FOLDERS = ("src", "infra", "ops", "scripts", ".github")
TEXT = {".py", ".toml", ".txt", ".yml", ".yaml", ".json", ""}


def project(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ["pyproject.toml", "infra/pyproject.toml"])
def test_each_package_takes_its_version_from_the_source(path: str) -> None:
    declared = project(path)
    assert declared["project"]["dynamic"] == ["version"]
    assert "version" not in declared["project"]
    version_file = (ROOT / path).parent / declared["tool"]["hatch"]["version"]["path"]
    assert version_file.resolve() == SOURCE


def test_no_other_file_states_the_version() -> None:
    literal = re.compile(rf"""(?i)version(?:__)?['"]?\s*[:=]+\s*['"]?{re.escape(dynadex.__version__)}\b""")
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in TEXT]
    files = [path for path in [*files, *ROOT.glob("*.toml")] if path.is_file() and "__pycache__" not in path.parts]
    stating = {path for path in files if literal.search(path.read_text(encoding="utf-8"))}
    assert stating - OTHER_VERSIONS == {SOURCE}


def test_version_is_a_release_or_prerelease_number() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", dynadex.__version__)


def test_release_script_reads_the_version_of_the_source() -> None:
    assert dynadex.__version__ == loaded("release_notes").current_version()
