"""Every block of the documents is run, unless `exceptions` gives a reason, and every command is valid."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynadex.scaffold.project import from_nothing
from dynadex.scaffold.render import project_files
from dynadex.settings import RuntimeSettings, project_settings, variables
from tests.docs.blocks import DOCUMENTS, ROOT, Block, Step, all_blocks, blocks_in, blocks_of, inline_code
from tests.docs.commands import check, check_mention, every_option, is_checked_only, words_of
from tests.docs.exceptions import BEFORE, EXIT_CODES, FOREIGN_OPTIONS, NOT_RUN, OTHER_VARIABLES, OWN_TEST, RUN_ELSEWHERE
from tests.docs.surroundings import Surroundings

CONSOLE, PYTHON, TEXT, JSON, TOML = "console", "python", "text", "json", "toml"
BLOCKS = all_blocks()
# Programs whose words nothing checks: they run.
SYSTEM = ("cp", "curl", "printf", "python", "python3")
RUN = sorted({block.document for block in BLOCKS} - OWN_TEST.keys())


def new_project() -> str:
    """The README that `dynadex init` writes."""
    return project_files(from_nothing(RuntimeSettings(), {}))["README.md"]


def every_step() -> Iterator[tuple[str, Step]]:
    """Every command of a console, with its document."""
    for block in [*BLOCKS, *blocks_in(new_project(), "README.md of a new project")]:
        if block.language == CONSOLE:
            yield from ((block.document, step) for step in block.steps())


STEPS = list(every_step())


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert [block.place for block in BLOCKS if block.language not in (CONSOLE, PYTHON, TEXT, JSON, TOML)] == []


@pytest.mark.parametrize("document", RUN)
def test_document_works_as_described(document: str, surroundings: Surroundings) -> None:
    prepare(surroundings, document, "")
    printed = None
    for block in blocks_of(ROOT / document):
        if block.language == TEXT and printed is not None:
            assert block.text == printed.strip(), block.place
        printed = run(block, surroundings)
    surroundings.end()


def test_readme_of_a_new_project_works_as_described(surroundings: Surroundings) -> None:
    surroundings.run(Step("dynadex init --dir songs-search", ()))
    surroundings.run(Step("cd songs-search", ()))
    readme = surroundings.read("README.md")
    for command in ("pip install -r requirements.txt", "pip install pytest", "python -m pytest"):
        assert f"`{command}`" in readme
        surroundings.run(Step(command, ()))
    # The tables and the cluster exist already.
    for block in blocks_in(readme, "README.md of a new project"):
        run(block, surroundings)
    surroundings.end()


def run(block: Block, surroundings: Surroundings) -> str | None:
    """Run one block, and return the output of Python, which a block of text after it must show."""
    if block.language == CONSOLE:
        for step in block.steps():
            run_step(block.document, step, surroundings)
    elif block.language == PYTHON and (block.document, block.first_line) not in RUN_ELSEWHERE:
        return surroundings.run_python(block)
    elif block.language == JSON:
        json.loads(block.text)
    elif block.language == TOML:
        assert project_settings(surroundings.write("pyproject.toml", block.text))
    return None


def run_step(document: str, step: Step, surroundings: Surroundings) -> None:
    """Run a command. It must print what the document shows, apart from figures and omissions."""
    if (document, step.command) in NOT_RUN or is_checked_only(step):
        return
    prepare(surroundings, document, step.known_as)
    printed = surroundings.run(step, EXIT_CODES.get((document, step.command), int(step.fails)))
    if step.program == "curl":
        printed, shown = ["".join(printed)], ["".join(step.shown)] * bool(step.shown)
    else:
        shown = list(step.shown)
    missing = [line for line in shown if not any(pattern(line).fullmatch(output) for output in printed)]
    assert not missing, "\n".join(printed)


def pattern(shown: str) -> re.Pattern[str]:
    """Return a pattern of the line with any figures, and any text for an ellipsis."""
    text = re.escape(shown).replace(re.escape("..."), ".*")
    return re.compile(re.sub(r"\d[\d,]*", lambda _: r"\d[\d,]*", text), re.DOTALL)


def prepare(surroundings: Surroundings, document: str, command: str) -> None:
    """Create the prerequisites of the document or command."""
    if (document, command) in BEFORE:
        BEFORE[(document, command)](surroundings)


@pytest.mark.parametrize("step", [step for _, step in STEPS], ids=lambda step: step.command)
def test_every_command_of_a_console_would_be_accepted(step: Step) -> None:
    if words_of(step.command)[0] not in SYSTEM:
        check(step.command)


def test_every_exception_is_still_needed() -> None:
    steps = {(document, name) for document, step in STEPS for name in (step.command, step.known_as)}
    assert {*NOT_RUN, *EXIT_CODES, *(one for one in BEFORE if one[1])} <= steps
    assert RUN_ELSEWHERE.keys() <= {(block.document, block.first_line) for block in BLOCKS if block.language == PYTHON}
    assert {document for document, _ in BEFORE} <= set(RUN)
    for document, test in {**OWN_TEST, **{name: test for (name, _), test in RUN_ELSEWHERE.items()}}.items():
        assert document.rsplit("/", 1)[1] in (ROOT / test).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_stands_within_a_sentence_would_be_accepted(path: Path) -> None:
    known = {*every_option(), *FOREIGN_OPTIONS}
    for code in inline_code(path):
        first = code.split(" ")[0]
        if code.startswith(("dynadex ", "make ", "aws ")):
            check_mention(code)
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code))
        assert options <= known or first in ("aws", "docker", "pytest"), code


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_is_a_setting(path: Path) -> None:
    known = {name for field in RuntimeSettings.__dataclass_fields__ for name in variables(field)} | OTHER_VARIABLES
    assert set(re.findall(r"\bDYNADEX_[A-Z_]+\b", path.read_text(encoding="utf-8"))) <= known
