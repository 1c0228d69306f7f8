"""Generate docs/cli.md from the commands and docs/settings.md from the settings.

python scripts/make_docs.py
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

from dynadex.settings import RuntimeSettings, variables

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "dynadex" / "settings.py"


def cli_reference() -> str:
    """Return the reference of all commands, as Typer's documentation command prints it."""
    command = [sys.executable, "-m", "typer", "dynadex.cli", "utils", "docs", "--name", "dynadex"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return printed.strip() + "\n"


def settings_reference() -> str:
    """Return a page with a table of every setting; meanings come from the docstrings below the fields."""
    lines = [
        "# Settings",
        "",
        "Settings are read once, when a command or a Lambda function starts. A flag takes precedence over the",
        "environment variable, the variable over the key in `[tool.dynadex]` of pyproject.toml in the current folder,",
        "and the key over the default. `dynadex config` shows the effective settings and where each comes from.",
        "",
        "| variable | key | default | meaning |",
        "|---|---|---|---|",
    ]
    meanings = _meanings()
    for field in fields(RuntimeSettings):
        names = ", ".join(f"`{name}`" for name in variables(field.name))
        default = "" if field.default is None else f"`{field.default}`"
        lines.append(f"| {names} | `{field.name}` | {default} | {meanings[field.name]} |")
    return "\n".join(lines) + "\n"


def _meanings() -> dict[str, str]:
    """Return the docstring of each field, without the part before its first colon."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    [body] = [
        node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == RuntimeSettings.__name__
    ]
    meanings = {}
    for declared, described in pairwise(body):
        if isinstance(declared, ast.AnnAssign) and isinstance(described, ast.Expr):
            assert isinstance(declared.target, ast.Name)
            text = ast.literal_eval(described.value)
            meanings[declared.target.id] = " ".join(text.split(": ", 1)[1].split())
    return meanings


GENERATED = {"docs/cli.md": cli_reference, "docs/settings.md": settings_reference}

if __name__ == "__main__":
    for name, make in GENERATED.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
