"""docs/architecture.md can be followed with `git grep` alone: each file and function that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, inline_code
from tests.docs.scripts import loaded

DOCUMENT = ROOT / "docs" / "architecture.md"
PACKAGE = ROOT / "src" / "dynadex"
_FILE = re.compile(r"[\w/]+\.(?:py|asl\.json)")
_CALL = re.compile(r"([\w.]+)\(\)")


def missing(text: str) -> list[str]:
    """Names of a Markdown text that lead nowhere. A function belongs to the file that its sentence names nearest."""
    lost = []
    for step in re.findall(r"^\d+\. .*?(?=^\d+\. |^#|\Z)", text, re.MULTILINE | re.DOTALL):
        codes = re.findall(r"`([^`]+)`", step)
        files = [code for code in codes if _FILE.fullmatch(code)]
        lost += [file for file in files if not (PACKAGE / file).exists()]
        defined = set().union(*(definitions(PACKAGE / file) for file in files if file.endswith(".py")), set())
        lost += [code for code in codes if (call := _CALL.fullmatch(code)) and call[1] not in defined]
        lost += [] if files else [f"no file in step: {step[:40]}"]
    return lost


def definitions(path: Path) -> set[str]:
    """The functions, classes and methods of a module, methods as Class.method."""
    if not path.exists():
        return set()
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (method for method in node.body if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef))
            names |= {f"{node.name}.{method.name}" for method in methods}
    return names


def test_each_file_and_function_of_the_walks_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert len(re.findall(r"^\d+\. ", text, re.MULTILINE)) > 20
    assert missing(text) == []


@pytest.mark.parametrize(
    "step",
    [
        "1. `index/no_such_file.py`: `apply()`.\n",
        "1. `index/indexer.py`: `Indexer.no_such_method()`.\n",
        "1. `Indexer.apply()` without a file.\n",
    ],
)
def test_missing_name_is_reported(step: str) -> None:
    assert missing(step)


def test_pictures_are_current() -> None:
    script = loaded("make_architecture")
    drawn = {name: (ROOT / name).read_text(encoding="utf-8") for name in script.GENERATED}
    assert drawn == {name: script.picture(theme) for name, theme in script.GENERATED.items()}, "run `make docs`"


def test_every_folder_and_module_has_a_row() -> None:
    parts = {f"{path.name}/" for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    parts |= {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    rows = re.findall(r"^\| (`.*?) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == parts


def test_folders_outside_of_the_package_exist() -> None:
    folders = [code for code in inline_code(DOCUMENT) if code in ("infra/", "ops/", "bench/", "tests/")]
    assert len(folders) == 4
    assert all((ROOT / folder).is_dir() for folder in folders)
