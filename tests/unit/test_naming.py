"""Names in the code: domain nouns, MAX_ and MIN_, and constructors that one can take in at a glance."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import dynadex

ROOT = Path(dynadex.__file__).parent
REPOSITORY = Path(__file__).parents[2]
ROOMS = sorted({path.relative_to(ROOT).parts[0] for path in ROOT.rglob("*.py")})
# They do not describe the content of the variable.
VAGUE = {"found", "wanted", "kept", "one", "told", "given"}
_SUPERLATIVE = re.compile(r"_?(most|longest|largest|greatest|highest|fewest|least|shortest|smallest)_", re.IGNORECASE)
MAX_PARAMETERS = 6


def trees(room: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted([ROOT / room] if room.endswith(".py") else (ROOT / room).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What a module binds: variables, parameters, fields, functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef):
            yield node.lineno, node.name


@pytest.mark.parametrize("room", ROOMS)
def test_variable_is_a_domain_noun(room: str) -> None:
    vague = [f"{path}:{line} {name}" for path, tree in trees(room) for line, name in names(tree) if name in VAGUE]
    assert vague == []


@pytest.mark.parametrize("room", ROOMS)
def test_limit_is_named_max_or_min(room: str) -> None:
    superlative = [
        f"{path}:{line} {name}" for path, tree in trees(room) for line, name in names(tree) if _SUPERLATIVE.match(name)
    ]
    assert superlative == []


@pytest.mark.parametrize("room", ROOMS)
def test_constructor_takes_at_most_six_parameters(room: str) -> None:
    large = [
        f"{path}:{node.lineno} {len(node.args.args) + len(node.args.kwonlyargs) - 1}"
        for path, tree in trees(room)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name == "__init__"
        and len(node.args.args) + len(node.args.kwonlyargs) - 1 > MAX_PARAMETERS
    ]
    assert large == []


# Called by a library, by this name.
CALLED_BY_LIBRARIES = {
    "collect",  # prometheus_client
    "formatMessage",  # logging
}


def test_no_function_or_class_is_used_by_tests_alone() -> None:
    """The names that only one place in the product contains: their own definition. `dynadex.testing` is for tests."""
    product = [path for folder in ("src", "infra", "scripts", "bench") for path in (REPOSITORY / folder).rglob("*.py")]
    words = Counter(word for path in product for word in re.findall(r"\w+", code_of(path)))
    defined = {
        node.name
        for path in ROOT.rglob("*.py")
        if "testing" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("__")
    }
    assert {name for name in defined if words[name] == 1} == CALLED_BY_LIBRARIES


def code_of(path: Path) -> str:
    """A module without its docstrings."""
    return re.sub(r'"""(?:.|\n)*?"""', "", path.read_text(encoding="utf-8"))
