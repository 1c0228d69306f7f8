"""The texts of the repository that people read, by source: documents, help, docstrings, messages, page, tests."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from tests.docs.blocks import ROOT

# Written by scripts/make_docs.py from the help of the commands and the comments of the settings.
GENERATED: Final = ("docs/cli.md", "docs/settings.md")
# Where comments and docstrings are read by people who change the code.
COMMENTED: Final = ("src", "tests", "infra", "scripts", "bench")
_FENCED = re.compile(r"^(?P<margin> *)(?P<fence>```+).*?^(?P=margin)(?P=fence) *$", re.MULTILINE | re.DOTALL)
# What mkdocstrings includes, with its options.
_DIRECTIVE = re.compile(r"^:::.*\n(?:(?: {4}.*)?\n)*", re.MULTILINE)
_CODE = re.compile(r"(`+).+?\1", re.DOTALL)
# An example in the help of a command.
_EXAMPLE = re.compile(r"^ {4}dynadex .*$", re.MULTILINE)
_JAVASCRIPT = re.compile(
    r"""//(?P<comment>[^\n]*)|"(?P<text>(?:\\.|[^"\\\n])*)"|`(?P<template>(?:\\.|[^`\\])*)`|'(?:\\.|[^'\\\n])*'"""
)
_EXPRESSION = re.compile(r"\$\{[^}]*\}")
# Attributes of HTML that a page shows or a screen reader reads.
_VISIBLE = ("alt", "aria-label", "placeholder", "title")
_LINK_TARGET = re.compile(r"(?<=\])\([^)\s]+\)")
_PLACEHOLDER = "X"

Text = tuple[str, str]
"""A name that a failure shows, and the prose."""


def without_code(text: str) -> str:
    """The prose of a Markdown text or docstring: no code blocks, examples, inline code or link targets."""
    for block in (_FENCED, _DIRECTIVE, _EXAMPLE):
        text = block.sub("", text)
    return _LINK_TARGET.sub("", _CODE.sub(_PLACEHOLDER, text))


def documents() -> Iterator[Text]:
    """The documents of docs/ that people write."""
    for path in sorted(ROOT.glob("docs/**/*.md")):
        if _name(path) not in GENERATED:
            yield _name(path), without_code(path.read_text(encoding="utf-8"))


def root_documents() -> Iterator[Text]:
    """README, CHANGELOG and the other documents at the root of the repository."""
    for path in sorted(ROOT.glob("*.md")):
        yield _name(path), without_code(path.read_text(encoding="utf-8"))


def generated_documents() -> Iterator[Text]:
    """The help of the commands and the meaning of the settings."""
    for name in GENERATED:
        yield name, without_code((ROOT / name).read_text(encoding="utf-8"))


def docstrings() -> Iterator[Text]:
    """The docstrings of the package and its tools, by module."""
    for path in _modules(*COMMENTED):
        nodes = (node for node in ast.walk(_tree(path)) if isinstance(node, _DOCUMENTED))
        yield _name(path), without_code("\n".join(filter(None, map(ast.get_docstring, nodes))))


def comments() -> Iterator[Text]:
    """The comments of the package and its tools, by module."""
    for path in _modules(*COMMENTED):
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        lines = [token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT]
        yield _name(path), without_code("\n".join(lines))


def messages() -> Iterator[Text]:
    """The literals of the package that have more than one word and are not docstrings, by module."""
    for path in _modules("src"):
        tree = _tree(path)
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        literals = (_literal(node) for node in ast.walk(tree) if id(node) not in docs | parts)
        yield _name(path), without_code("\n".join(literal for literal in literals if " " in literal.strip()))


def names_of_tests() -> Iterator[Text]:
    """The names of the tests and of their helper functions as sentences, by module."""
    for path in _modules("tests"):
        functions = (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        names = [function.name.removeprefix("test_").strip("_").replace("_", " ") for function in functions]
        if names:
            yield _name(path), ".\n".join(names)


def page() -> Iterator[Text]:
    """The texts and comments of the page, by file."""
    for path in sorted((ROOT / "src/dynadex/http/page").glob("*")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            yield _name(path), texts_of_html(text)
        elif path.suffix == ".js":
            yield _name(path), texts_of_javascript(text)


def texts_of_html(text: str) -> str:
    """The texts between tags, and those in visible attributes."""
    parser = _Texts()
    parser.feed(text)
    return "\n".join(parser.texts)


def texts_of_javascript(text: str) -> str:
    """The comments, and the literals of more than one word, with a placeholder for each expression."""
    matches = list(_JAVASCRIPT.finditer(text))
    comments = "\n".join(match["comment"].strip() for match in matches if match["comment"])
    literals = (_EXPRESSION.sub(_PLACEHOLDER, match["text"] or match["template"] or "") for match in matches)
    return "\n".join([without_code(comments), *(literal for literal in literals if " " in literal.strip())])


def templates() -> Iterator[Text]:
    """The files of generated projects."""
    for path in sorted((ROOT / "src/dynadex/scaffold/templates").glob("*.txt")):
        yield _name(path), without_code(path.read_text(encoding="utf-8"))


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser passes it
        self.texts += [value for name, value in attrs if value and name in _VISIBLE]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def variables(path: Path) -> set[str]:
    """The names that a module assigns, iterates over, or takes as parameters."""
    nodes = list(ast.walk(_tree(path)))
    assigned = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return assigned | {node.arg for node in nodes if isinstance(node, ast.arg)}


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _literal(node: ast.AST) -> str:
    """A string, with a placeholder for each value of an f-string; empty for any other node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) if isinstance(part, ast.Constant) else _PLACEHOLDER for part in node.values)
    return ""


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
