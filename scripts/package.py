"""Build the zips for AWS Lambda: dynadex, its dependencies and your module. Builds are reproducible byte for byte.

python scripts/package.py [--module PATH]... [--requirements FILE] [--target arm64 x86_64 local] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dynadex

ROOT = Path(__file__).parent.parent
LOCKED = ROOT / "requirements" / "lambda.txt"
OUT = ROOT / "build" / "lambda"
LAMBDA_PYTHON = "3.13"
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
# Builds for this interpreter, to run in an emulator of Lambda on this machine.
LOCAL = "local"
# Packages of dynadex that no function uses.
_NOT_DEPLOYED = ("cli", "local", "scaffold", "testing")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
# Metadata to keep of each distribution; the rest depends on when and how it was installed.
_INCLUDED_METADATA = ("METADATA", "licenses", "LICENSE", "LICENSE.txt", "NOTICE")
# The earliest time that a zip can represent.
_TIME = (1980, 1, 1, 0, 0, 0)
# Lambda's limit for an unpacked function.
_MAX_BYTES = 250 * 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the zips that the command line names."""
    options = _parser().parse_args(arguments)
    requirements = [LOCKED, *options.requirements]
    for target in options.target:
        path = options.out / f"function-{target}.zip"
        build(target, path, options.module, requirements)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def build(target: str, path: Path, modules: Sequence[Path], requirements: Sequence[Path]) -> None:
    """Build one zip. ``modules`` are files or folders that become importable by their own names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
        folder = Path(temporary) / "function"
        folder.mkdir()
        for requirement_file in requirements:
            install(requirement_file, target, folder)
        source = Path(dynadex.__file__).parent
        shutil.copytree(source, folder / "dynadex", ignore=_ignored(source))
        for module in modules:
            _copy(module, folder / module.name)
        finished = Path(temporary) / "function.zip"
        pack(folder, finished)
        # Replace the old zip atomically: concurrent readers and interrupted builds leave a complete zip.
        finished.replace(path)


def install(requirements: Path, target: str, folder: Path) -> None:
    """Install the wheels of a hashed requirement file for the target's machine; no code of the packages runs."""
    command: list[str | Path] = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--target", folder]
    command += [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--link-mode",
        "copy",
        "--require-hashes",
        "--requirements",
        requirements,
    ]
    if target != LOCAL:
        command += ["--python-platform", PLATFORMS[target], "--python-version", LAMBDA_PYTHON]
    else:
        command += ["--python", sys.executable]
    subprocess.run(command, check=True)


def pack(folder: Path, path: Path) -> None:
    """Write a zip of a folder with sorted names, one time and one mode; exit if it exceeds the limit of Lambda."""
    size = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Unix, readable by all users: Lambda runs functions as another user.
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            packed.writestr(entry, file.read_bytes())
            size += file.stat().st_size
    if size > _MAX_BYTES:
        sys.exit(f"The unpacked package has {size / 1e6:.0f} MB; Lambda accepts at most {_MAX_BYTES / 1e6:.0f} MB.")


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = [name for name in folders if name not in ("__pycache__", "bin")]
        if here.name.endswith(".dist-info"):
            folders[:] = [name for name in folders if name in _INCLUDED_METADATA]
            files = [name for name in files if name in _INCLUDED_METADATA]
        yield from (here / name for name in files if not name.endswith(".pyc") and name != ".lock")


def _ignored(source: Path) -> Callable[[str, list[str]], set[str]]:
    def ignored(folder: str, names: list[str]) -> set[str]:
        left_out = _LEFT_OUT(folder, names)
        return left_out | set(_NOT_DEPLOYED) if Path(folder) == source else left_out

    return ignored


def _copy(module: Path, to: Path) -> None:
    if module.is_dir():
        shutil.copytree(module, to, ignore=_LEFT_OUT)
    else:
        shutil.copyfile(module, to)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Build the zips for AWS Lambda.")
    parser.add_argument("--module", type=Path, action="append", default=[], help="your module: a file or a package")
    parser.add_argument(
        "--requirements", type=Path, action="append", default=[], help="requirements of your module, with hashes"
    )
    targets = [*PLATFORMS, LOCAL]
    parser.add_argument(
        "--target", nargs="+", choices=targets, default=list(PLATFORMS), help="architectures to build for"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the zips")
    return parser


if __name__ == "__main__":
    main()
