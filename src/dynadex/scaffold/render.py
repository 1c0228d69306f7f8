"""The files of a new project, from templates and what was inferred."""

from __future__ import annotations

import json
import keyword
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from dynadex import analysis
from dynadex.scaffold.example import example_item
from dynadex.scaffold.infer import Inferred
from dynadex.scaffold.proposal import Proposal
from dynadex.scaffold.survey import Survey

_TITLE = "analysis.title()"
_WIDTH, _NARROWEST = 120, 40
# OpenSearch allows 255 bytes, with the time that is appended to it.
_MAX_INDEX, _MAX_MODULE = 200, 100
_TAKEN = {"dynadex", "infra", "tests", *sys.stdlib_module_names}


@dataclass(frozen=True, slots=True)
class Project:
    """What the files are about. ``source`` says in words what was sampled; ``settings`` go into pyproject.toml;
    ``prepare`` is what the reader has to do first; ``existing``: the table is there already."""

    table: str
    module: str
    index: str
    source: str
    inferred: Inferred
    survey: Survey
    keys: Mapping[str, str]
    settings: Mapping[str, str]
    region: str
    existing: bool
    prepare: str


def module_name(table: str) -> str:
    """A name for a module, from a table's."""
    name = re.sub(r"\W+", "_", table.lower()).strip("_")[:_MAX_MODULE]
    if not name or name[0].isdigit():
        name = f"table_{name}"
    return f"{name}_sync" if name in _TAKEN or keyword.iskeyword(name) else name


def index_name(table: str) -> str:
    """A name for an index, from a table's."""
    name = table.lower().lstrip("._-")[:_MAX_INDEX] or "table-index"
    return f"{name}-index" if name.endswith(("-sync", "-building", "-unfilled")) else name


def project_files(project: Project) -> dict[str, str]:
    """Texts by path."""
    title = re.sub(r"[\W_]+", " ", project.table).strip().capitalize()
    mappings = "\n".join(_mappings(project.inferred))
    analysed = _TITLE in mappings
    words = {
        "names": "Search, Sync, analysis" if analysed else "Search, Sync",
        "analysed": '\n    settings={"analysis": analysis.settings()},' if analysed else "",
        "table": project.table,
        "module": project.module,
        "index": project.index,
        "title": title,
        "source": project.source,
        "region": project.region,
        "existing": str(project.existing),
        "prefix": re.sub(r"[\W_]+", "", project.table.title()),
        "table_literal": literal(project.table),
        "index_literal": literal(project.index),
        "mappings": mappings,
        "returned": _returned(project.inferred),
        "search": _search(project.inferred, title),
        "item": literal(example_item(project.survey, project.keys)),
        "settings": "\n".join(_settings(project.settings)),
        "findings": "\n".join(_findings(project)),
        "prepare": project.prepare,
    }
    names = {
        f"{project.module}.py": "sync.py",
        f"tests/test_{project.module}.py": "test_sync.py",
        "compose.yaml": "compose.yaml",
        "infra/app.py": "app.py",
        "infra/cdk.json": "cdk.json",
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
    }
    folder = files("dynadex.scaffold") / "templates"
    return {
        name: Template((folder / f"{template}.txt").read_text(encoding="utf-8")).substitute(words)
        for name, template in names.items()
    }


def literal(value: Any, indent: int = 0, before: int = 0) -> str:
    """A value as Python, on one line if that fits: ``indent`` of its own lines, ``before`` it on its first."""
    line = _inline(value)
    if indent + before + len(line) + 1 <= _WIDTH or not value or not isinstance(value, dict | list | tuple):
        return line
    inner, opening, closing = " " * (indent + 4), "[", "]"
    if isinstance(value, dict):
        opening, closing = "{", "}"
        parts = [
            f"{inner}{(key := f'{_inline(name)}: ')}{literal(part, indent + 4, len(key))},\n"
            for name, part in value.items()
        ]
    else:
        opening, closing = ("(", ")") if isinstance(value, tuple) else (opening, closing)
        parts = [f"{inner}{literal(part, indent + 4)},\n" for part in value]
    return f"{opening}\n{''.join(parts)}{' ' * indent}{closing}"


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_inline(name)}: {_inline(part)}" for name, part in value.items()) + "}"
    if isinstance(value, set):
        return "{" + ", ".join(map(_inline, sorted(value))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_inline, value)) + ("," if len(value) == 1 else "") + ")"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _mappings(inferred: Inferred) -> Iterator[str]:
    yield "MAPPINGS: dict[str, Any] = {"
    yield from _comment("An attribute that is not named here is stored, but not searched, and can refuse no item.", 4)
    yield '    "dynamic": False,'
    yield from _properties(inferred.proposals, 4)
    yield "}"


def _properties(proposals: Sequence[Proposal], indent: int) -> Iterator[str]:
    margin = " " * indent
    yield f'{margin}"properties": {{'
    for one in proposals:
        name = _inline(one.path[-1])
        if one.conflict:
            yield from _comment(f"CONFLICT: {one.conflict}.", indent + 4)
        elif one.spec or one.inside:
            yield from _comment(_sentence(one.reason), indent + 4)
        if one.inside:
            yield f"{margin}    {name}: {{"
            yield from _properties(one.inside, indent + 8)
            yield f"{margin}    }},"
        elif one.spec:
            spec = _TITLE if one.spec == analysis.title() else literal(one.spec, indent + 4, len(name) + 2)
            yield f"{margin}    {name}: {spec},"
        elif not one.conflict:
            yield from _comment(f"{name} is not mapped: {one.reason}.", indent + 4)
    yield f"{margin}}},"


def _comment(text: str, indent: int) -> list[str]:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return [" " * indent + f"# {line}" for line in textwrap.wrap(text, max(_NARROWEST, _WIDTH - indent - 2))]


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def _returned(inferred: Inferred) -> str:
    """The end of the document function."""
    if not inferred.left_out:
        return "    return item"
    comment = _comment("OpenSearch takes no attributes of these names: give them others here, to search them.", 4)
    names = literal(set(inferred.left_out), 4, len("left_out = "))
    returned = "return {name: value for name, value in item.items() if name not in left_out}"
    return "\n".join((*comment, f"    left_out = {names}", f"    {returned}"))


def _search(inferred: Inferred, title: str) -> str:
    given: dict[str, Any] = {"title": title, "fields": inferred.fields}
    if inferred.facets:
        given["facets"] = inferred.facets
    if inferred.sorts:
        given["sorts"] = inferred.sorts
    if inferred.fields:
        given["suggest"] = next(iter(inferred.fields))
    parts = [f"        {name}={literal(value, 8, len(name) + 1)},\n" for name, value in given.items()]
    return f"Search(\n{''.join(parts)}    )"


def _settings(settings: Mapping[str, str]) -> Iterator[str]:
    for name, value in {"opensearch_url": "http://127.0.0.1:9200", **settings}.items():
        yield f"{name} = {json.dumps(value)}" if name in settings else f"# {name} = {json.dumps(value)}"


def _findings(project: Project) -> Iterator[str]:
    conflicts = [one for one in project.inferred.every() if one.conflict]
    mapped = sum(1 for one in project.inferred.every() if one.spec)
    yield f"From {project.source}: {mapped} fields mapped, each with its reason in `{project.module}.py`."
    if project.inferred.unmapped:
        yield f"{project.inferred.unmapped:,} attributes that few items have are not mapped: they would be too many."
    if conflicts:
        yield "\nThese attributes contradict themselves. Decide, and say so in the document function:\n"
        yield from (f"- `{one.name}`: {one.conflict}." for one in conflicts)
