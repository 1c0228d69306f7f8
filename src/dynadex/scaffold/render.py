"""Render the files of a new project from templates and an inferred mapping."""

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
from dynadex.document.identity import KeySchema
from dynadex.scaffold.example import example_item
from dynadex.scaffold.infer import Inferred
from dynadex.scaffold.package_source import FROM_INDEX, PackageSource
from dynadex.scaffold.proposal import Proposal
from dynadex.scaffold.survey import Survey
from dynadex.settings import RuntimeSettings

_OPENSEARCH_URL = RuntimeSettings().opensearch_url
_TITLE = "analysis.title()"
_MAX_WIDTH, _MIN_COMMENT_WIDTH = 120, 40
# OpenSearch allows 255 bytes, including the time that is appended to the name.
_MAX_INDEX, _MAX_MODULE = 200, 100
_RESERVED_MODULES = {"dynadex", "infra", "tests", *sys.stdlib_module_names}


@dataclass(frozen=True, slots=True)
class Project:
    """A project to generate.

    Attributes:
        table: Name of the table.
        name: Name that the module's and the index's names are derived from.
        source: What the mapping is inferred from, as text.
        survey: Survey of the sampled items.
        schema: Key of the table.
        inferred: Mapping and search options.
        settings: Settings for pyproject.toml, by name.
        region: AWS region to deploy to by default.
        existing: Whether the table exists already.
        preparation: Section of the README: what to do before the first command.
        package_source: Where the project gets dynadex from.
    """

    table: str
    name: str
    source: str
    survey: Survey
    schema: KeySchema
    inferred: Inferred
    settings: Mapping[str, str]
    region: str
    existing: bool
    preparation: str
    package_source: PackageSource = FROM_INDEX

    @property
    def module(self) -> str:
        """Name of the generated module."""
        return module_name(self.name)

    @property
    def index(self) -> str:
        """Name of the index."""
        return index_name(self.name)


def module_name(table: str) -> str:
    """Return a valid name for a module, derived from a table's name."""
    name = re.sub(r"\W+", "_", table.lower()).strip("_")[:_MAX_MODULE]
    if not name or name[0].isdigit():
        name = f"table_{name}"
    return f"{name}_sync" if name in _RESERVED_MODULES or keyword.iskeyword(name) else name


def index_name(table: str) -> str:
    """Return a valid name for an index, derived from a table's name."""
    name = table.lower().lstrip("._-")[:_MAX_INDEX] or "table-index"
    return f"{name}-index" if name.endswith(("-sync", "-building", "-unfilled")) else name


def project_files(project: Project) -> dict[str, str]:
    """Return the text of every file by its path."""
    title = re.sub(r"[\W_]+", " ", project.table).strip().capitalize()
    mappings = "\n".join(_mappings(project.inferred))
    uses_analysis = _TITLE in mappings
    keys = dict(zip(project.schema.names, project.schema.types, strict=True))
    variables = {
        "imports": "Search, Sync, analysis" if uses_analysis else "Search, Sync",
        "analysis_settings": '\n    settings={"analysis": analysis.settings()},' if uses_analysis else "",
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
        "item": literal(example_item(project.survey, keys)),
        "settings": "\n".join(_settings(project.settings)),
        "opensearch_url": project.settings.get("opensearch_url", _OPENSEARCH_URL),
        "findings": "\n".join(_findings(project)),
        "preparation": project.preparation,
    }
    templates = {
        f"{project.module}.py": "sync.py",
        f"tests/test_{project.module}.py": "test_sync.py",
        "compose.yaml": "compose.yaml",
        "infra/app.py": "app.py",
        "infra/cdk.json": "cdk.json",
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
    }
    folder = files("dynadex.scaffold") / "templates"
    texts = {
        name: Template((folder / f"{template}.txt").read_text(encoding="utf-8")).substitute(variables)
        for name, template in templates.items()
    }
    return {**texts, "requirements.txt": project.package_source.requirements}


def literal(value: Any, indent: int = 0, before: int = 0) -> str:
    """Return a value as Python source, on one line if it fits.

    Args:
        value: Dicts, lists, tuples, sets and scalars.
        indent: Indentation of the line that the value starts on, in characters.
        before: Number of characters in front of the value on that line.
    """
    line = _inline(value)
    if indent + before + len(line) + 1 <= _MAX_WIDTH or not value or not isinstance(value, dict | list | tuple):
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
    unlisted = (
        "An attribute that is not listed here is stored, but not searchable; it never makes an item fail to index."
    )
    yield from _comment(unlisted, 4)
    yield '    "dynamic": False,'
    yield from _properties(inferred.proposals, 4)
    yield "}"


def _properties(proposals: Sequence[Proposal], indent: int) -> Iterator[str]:
    margin = " " * indent
    yield f'{margin}"properties": {{'
    for proposal in proposals:
        name = _inline(proposal.path[-1])
        if proposal.conflict:
            yield from _comment(f"CONFLICT: {proposal.conflict}.", indent + 4)
        elif proposal.spec or proposal.inside:
            yield from _comment(_sentence(proposal.reason), indent + 4)
        if proposal.inside:
            yield f"{margin}    {name}: {{"
            yield from _properties(proposal.inside, indent + 8)
            yield f"{margin}    }},"
        elif proposal.spec:
            is_title = proposal.spec == analysis.title()
            spec = _TITLE if is_title else literal(proposal.spec, indent + 4, len(name) + 2)
            yield f"{margin}    {name}: {spec},"
        elif not proposal.conflict:
            yield from _comment(f"{name} is not mapped: {proposal.reason}.", indent + 4)
    yield f"{margin}}},"


def _comment(text: str, indent: int) -> list[str]:
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    width = max(_MIN_COMMENT_WIDTH, _MAX_WIDTH - indent - 2)
    return [" " * indent + f"# {line}" for line in textwrap.wrap(printable, width, break_on_hyphens=False)]


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def _returned(inferred: Inferred) -> str:
    """Return the last lines of the document function."""
    if not inferred.left_out:
        return "    return item"
    comment = _comment("OpenSearch rejects these attribute names. To search the attributes, rename them here.", 4)
    names = literal(set(inferred.left_out), 4, len("left_out = "))
    returned = "return {name: value for name, value in item.items() if name not in left_out}"
    return "\n".join((*comment, f"    left_out = {names}", f"    {returned}"))


def _search(inferred: Inferred, title: str) -> str:
    options: dict[str, Any] = {"title": title, "fields": inferred.fields}
    if inferred.facets:
        options["facets"] = inferred.facets
    if inferred.sorts:
        options["sorts"] = inferred.sorts
    if inferred.fields:
        options["suggest"] = next(iter(inferred.fields))
    parts = [f"        {name}={literal(value, 8, len(name) + 1)},\n" for name, value in options.items()]
    return f"Search(\n{''.join(parts)}    )"


def _settings(settings: Mapping[str, str]) -> Iterator[str]:
    for name, value in {"opensearch_url": _OPENSEARCH_URL, **settings}.items():
        yield f"{name} = {json.dumps(value)}" if name in settings else f"# {name} = {json.dumps(value)}"


def _findings(project: Project) -> Iterator[str]:
    conflicts = [proposal for proposal in project.inferred.every() if proposal.conflict]
    mapped = sum(1 for proposal in project.inferred.every() if proposal.spec)
    yield f"From {project.source}, {mapped} fields are mapped. `{project.module}.py` gives the reason for each."
    if project.inferred.unmapped:
        yield f"{project.inferred.unmapped:,} rare attributes are not mapped, to stay below the limit of fields."
    if conflicts:
        yield "\nDecide how to index these attributes, and change the document function accordingly:\n"
        yield from (f"- `{proposal.name}`: {proposal.conflict}." for proposal in conflicts)
