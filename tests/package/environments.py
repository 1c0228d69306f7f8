"""Builds the package and installs it into new environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed; return its output."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd, env=variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(folder: Path) -> Path:
    """Build the wheel and the source distribution in a folder; return the wheel."""
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    [wheel] = folder.glob("*.whl")
    return wheel


def clone(folder: Path) -> tuple[Path, dict[str, str]]:
    """Copy what a clone contains; return its folder `dynadex`, and the variables with which make finds its tools."""
    copied, tools = folder / "dynadex", folder / "tools"
    for name in ("docs", "infra", "ops", "requirements", "scripts", "src", "tests"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__", "target"))
    for name in ("CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml"):
        shutil.copy2(ROOT / name, copied)
    (tools / "bin").mkdir(parents=True)
    (tools / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tools / "bin/python").chmod(0o755)
    for name in (".uv", ".local", ".dev"):
        (tools / name).touch()
    return copied, {"MAKEFLAGS": f"VENV={tools}"}


def seeded(folder: Path) -> Path:
    """Return the `bin` folder of a new environment with pip and what `dynadex[local]` requires, without dynadex."""
    run(UV, "venv", "-q", "--seed", "--python", sys.executable, folder)
    add_requirements(folder)
    return folder / "bin"


def add_requirements(environment: Path) -> None:
    """Install what `dynadex[local]` requires, in the tested versions, so that pip needs to download nothing."""
    requirements = ROOT / "requirements" / "local.txt"
    run(UV, "pip", "install", "-q", "--python", environment / "bin/python", "--require-hashes", "-r", requirements)


def installed(
    folder: Path, wheel: Path, requirements: Sequence[str | Path], python: str | Path = sys.executable
) -> Path:
    """Return the `bin` folder of a new environment with the wheel and these requirements, without this checkout."""
    run(UV, "venv", "-q", "--python", python, folder / "venv")
    programs = folder / "venv/bin"
    run(UV, "pip", "install", "-q", "--python", programs / "python", *requirements)
    run(UV, "pip", "install", "-q", "--python", programs / "python", "--no-deps", wheel)
    return programs


def constraints(folder: Path) -> Path:
    """Write a constraints file with the tested versions of all packages."""
    path = folder / "constraints.txt"
    lines = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.removesuffix(" \\") for line in lines if "==" in line and line[0].isalnum()))
    return path


def with_everything_local(folder: Path, wheel: Path, python: str | Path = sys.executable) -> Path:
    """Return the `bin` folder of an environment with `dynadex[local]` in the tested versions."""
    return installed(folder, wheel, ["--require-hashes", "-r", ROOT / "requirements" / "local.txt"], python)
