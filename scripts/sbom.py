"""Write the software bill of materials of a wheel, in CycloneDX JSON.

python scripts/sbom.py WHEEL FILE

Lists the packages that the wheel and its extras for production install, in the versions that the tests run with.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTED_VERSIONS = ROOT / "requirements" / "dev.txt"
# All but `local` and `opensearch`: backends for a developer's machine.
EXTRAS = ("search", "worker", "aws")
_UV = Path(sys.executable).with_name("uv")
_CYCLONEDX = Path(sys.executable).with_name("cyclonedx-py")


def write(wheel: Path, path: Path) -> None:
    """Install the wheel in a new environment and describe its packages; the same input gives the same bytes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        python = folder / "venv" / "bin" / "python"
        _run(_UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
        requirement = f"dynadex[{','.join(EXTRAS)}] @ {wheel.resolve().as_uri()}"
        _run(_UV, "pip", "install", "--quiet", "--python", python, "--constraints", TESTED_VERSIONS, requirement)
        (folder / "pyproject.toml").write_text(with_version(wheel.name.split("-")[1]), encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        options: list[str | Path] = ["--mc-type", "library", "--output-reproducible"]
        options += ["--pyproject", folder / "pyproject.toml", "--output-file", path]
        _run(_CYCLONEDX, "environment", *options, python)


def with_version(version: str) -> str:
    """This project's pyproject.toml with the version in it: the SBOM's main component takes it from there."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return text.replace('dynamic = ["version"]', f'version = "{version}"', 1)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/sbom.py WHEEL FILE")
    write(Path(sys.argv[1]), Path(sys.argv[2]))
