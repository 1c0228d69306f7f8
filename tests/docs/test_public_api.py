"""The public API has an edge: docs/python.md lists it, and what it lists is documented with types, units and errors."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import dynadex
from tests.docs.blocks import ROOT, all_blocks

_ENTRY = re.compile(r"^::: ([\w.]+)\n(?:    options:\n      members: \[([^\]]*)\]\n)?", re.MULTILINE)
_TEMPLATES = ROOT / "src" / "dynadex" / "scaffold" / "templates"


def entries() -> Iterator[tuple[str, list[str]]]:
    """What docs/python.md renders, and the members of it that it shows."""
    for name, members in _ENTRY.findall((ROOT / "docs" / "python.md").read_text(encoding="utf-8")):
        yield name, [member.strip() for member in members.split(",") if member.strip()]


def listed() -> set[str]:
    """Every name of the page: what it renders, and the members that it shows."""
    return {name for entry, members in entries() for name in (entry, *(f"{entry}.{member}" for member in members))}


def resolved(name: str) -> Any:
    """The object of a dotted name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"{name} cannot be imported")


def imports(code: str) -> Iterator[str]:
    """The names of dynadex that a piece of Python imports."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dynadex":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "dynadex")


def documented() -> dict[str, set[str]]:
    """What each document and each template of a generated project imports."""
    blocks = [(block.document, block.text) for block in all_blocks() if block.language == "python"]
    # Names that a template fills in are chosen from those of the package itself.
    blocks += [
        (path.name, re.sub(r"\$\w+", "Sync", path.read_text(encoding="utf-8"))) for path in _TEMPLATES.glob("*.py.txt")
    ]
    imported: dict[str, set[str]] = {}
    for document, code in blocks:
        lines = [line for line in code.splitlines() if line.startswith(("from dynadex", "import dynadex"))]
        imported.setdefault(document, set()).update(imports("\n".join(lines)))
    return imported


@pytest.mark.parametrize("document", sorted(documented()))
def test_documented_import_is_public(document: str) -> None:
    assert documented()[document] - listed() == set()


def test_every_name_that_the_package_exports_is_public() -> None:
    public = [resolved(name) for name in listed()]
    assert [name for name in dynadex.__all__ if getattr(dynadex, name) not in public] == ["__version__"]


@pytest.mark.parametrize("name", sorted(name for name in listed() if not inspect.ismodule(resolved(name))))
def test_public_name_documents_types_units_and_errors(name: str) -> None:
    assert undocumented(resolved(name)) == []


def undocumented(public: Any) -> list[str]:
    """What the docstring of a function or class lacks: Google-style sections for what it takes, returns and raises."""
    if not inspect.isclass(public) and not inspect.isfunction(public):
        return []  # an alias of a type: its module documents it
    text = inspect.getdoc(public) or ""
    if inspect.isclass(public) and "__init__" in vars(public):
        text += f"\n\n{inspect.cleandoc(public.__init__.__doc__ or '')}"
    function = public.__init__ if inspect.isclass(public) else public
    missing = [] if text else ["a docstring"]
    if inspect.isclass(public) and (issubclass(public, BaseException) or "__init__" not in vars(public)):
        return missing
    fields = described_fields(public) if dataclasses.is_dataclass(public) and inspect.isclass(public) else set()
    described = fields | set(
        re.findall(
            r"^    \*{0,2}(\w+)(?: \([^)]*\))?: \S", section(text, "Args") + section(text, "Attributes"), re.MULTILINE
        )
    )
    parameters = [name for name in inspect.signature(function).parameters if name != "self"]
    missing += [f"argument {name}" for name in parameters if name not in described]
    missing += [f"type of {name}" for name in parameters if name not in function.__annotations__]
    returned = function.__annotations__.get("return")
    if not inspect.isclass(public) and returned not in (None, "None") and not section(text, "Returns"):
        missing.append("Returns")
    return missing


def described_fields(public: type) -> set[str]:
    """The fields of a dataclass that have a docstring below them."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(public))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        declared.target.id
        for declared, text in pairwise(definition.body)
        if isinstance(declared, ast.AnnAssign) and isinstance(declared.target, ast.Name) and isinstance(text, ast.Expr)
    }


def section(text: str, title: str) -> str:
    """A section of a Google-style docstring; empty where there is none."""
    match = re.search(rf"^{title}:\n((?:(?: {{4}}.*)?\n?)*)", text, re.MULTILINE)
    return match[1] if match else ""


def test_a_lacking_docstring_is_noticed() -> None:
    def public(table: str, seconds: float) -> int:
        """Do something.

        Args:
            table: A table.
        """
        return len(table) + int(seconds)

    assert undocumented(public) == ["argument seconds", "Returns"]
