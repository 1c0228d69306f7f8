"""The documents say what is true: generated ones are fresh, links lead somewhere, no command or setting is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from dynadex.aws.observation import counts
from dynadex.cli import app
from dynadex.index.results import ApplyResult, BulkStats
from tests.docs.blocks import DOCUMENTS, ROOT
from tests.docs.scripts import loaded

_LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")


@pytest.mark.parametrize("name", ["docs/cli.md", "docs/settings.md"])
def test_generated_documents_are_fresh(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == loaded("make_docs").GENERATED[name](), "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    broken = [link for link in _LINK.findall(document.read_text(encoding="utf-8")) if not leads(document, *link)]
    assert not broken


def leads(document: Path, target: str, anchor: str) -> bool:
    if target.startswith("http"):
        return True
    path = (document.parent / target) if target else document
    if not path.exists():
        return False
    return not anchor or anchor[1:] in anchors(path)


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if f"`dynadex {name}`" not in readme] == []


def test_the_images_of_the_readme_are_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    images = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert images
    assert [image for image in images if not (ROOT / image).exists()] == []


def test_every_decision_has_a_reason_and_says_what_would_change_it() -> None:
    title, introduction, *decisions = (ROOT / "docs/decisions.md").read_text(encoding="utf-8").strip().split("\n\n")
    assert (title, introduction) == ("# Decisions", "Each with its reason, and what would change it.")
    form = re.compile(r"\*\*.+?\*\*.*\S \*Would change it\*: \S.*\.", re.DOTALL)
    assert [decision for decision in decisions if not form.fullmatch(" ".join(decision.split()))] == []


def test_every_metric_of_the_functions_is_documented_and_no_other() -> None:
    bulks = BulkStats(max_seconds=0.5)
    text = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
    [sentences] = re.findall(r"in the namespace `dynadex`, by `sync` and `index`:(.*?)Neither logs", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentences)) == counts(ApplyResult(newest_change_us=1), bulks, 1.0).keys()


def test_every_document_can_be_reached_from_the_readme_and_the_website() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    website = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    names = [str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")]
    assert [name for name in names if name not in website] == []
    beside = {"index.md", "how-to/documents.md", "python.md"}
    assert [name for name in names if f"docs/{name}" not in readme and name not in beside] == []


def test_the_map_of_the_code_names_every_part_of_it() -> None:
    package = ROOT / "src/dynadex"
    parts = {f"{one.name}/" for one in package.iterdir() if (one / "__init__.py").exists()}
    parts |= {one.name for one in package.glob("*.py") if not one.name.startswith("__")}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    named = {name for row in rows if "beside" not in row for name in re.findall(r"`([^`]+)`", row)}
    assert named == parts


def test_files_that_contributing_names_are_there() -> None:
    names = re.findall(
        r"`((?:src|tests|infra|ops|bench)/[\w/.-]*)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    )
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []
