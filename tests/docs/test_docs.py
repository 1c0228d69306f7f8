"""The documents are correct: generated ones are up to date, links lead somewhere, no command or setting is missing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from dynadex.aws.observation import counts
from dynadex.cli import app
from dynadex.index.results import ApplyResult, BulkStats
from tests.docs.blocks import DOCUMENTS, ROOT
from tests.docs.scripts import loaded
from tests.property.ablations import ABLATIONS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
# Where an image of the repository can be shown from elsewhere.
RAW = f"{REPOSITORY.replace('//github.com', '//raw.githubusercontent.com')}/main"
_LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")


@pytest.mark.parametrize("name", ["docs/cli.md", "docs/settings.md"])
def test_generated_documents_are_current(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == loaded("make_docs").GENERATED[name](), "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_have_targets(document: Path) -> None:
    broken = [link for link in _LINK.findall(document.read_text(encoding="utf-8")) if not leads(document, *link)]
    assert not broken


def leads(document: Path, target: str, anchor: str) -> bool:
    inside = re.fullmatch(rf"{REPOSITORY}/blob/main/(.+)|{RAW}/(.+)", target)
    if target.startswith("http") and not inside:
        return True
    path = ROOT / (inside[1] or inside[2]) if inside else (document.parent / target) if target else document
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


def test_readme_links_and_images_work_on_every_site() -> None:
    """The package index shows it, too, and has no files next to it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    images = re.findall(r"""!\[[^\]]+\]\(([^)]+)\)|(?:src|srcset)="([^"]+)""", readme)
    addresses = [address for image in images for address in image if address]
    assert len(addresses) >= 3
    assert [address for address in addresses if not leads(ROOT / "README.md", address, "")] == []
    assert [address for address in addresses if not address.startswith(RAW)] == []
    assert [target for target, _ in _LINK.findall(readme) if target and not target.startswith("https://")] == []


def test_every_decision_has_a_reason_and_a_condition_to_revisit_it() -> None:
    text = (ROOT / "docs/decisions.md").read_text(encoding="utf-8")
    assert text.startswith("# Decisions\n")
    assert len(re.findall(r"^### ", text, re.MULTILINE)) > 50
    assert malformed_decisions(text) == []


@pytest.mark.parametrize(
    ("decision", "is_malformed"),
    [
        ("Details.\n\n**Reason**: it is\nfaster.\n\n**Revisit if** it is slower.", False),
        ("**Reason**: it is faster.\n\n**Revisit if** it is slower.", False),
        ("Details.\n\n**Revisit if** it is slower.", True),
        ("Details.\n\n**Reason**: it is faster.", True),
        ("**Reason**: \n\n**Revisit if** it is slower.", True),
        ("**Revisit if** it is slower.\n\n**Reason**: it is faster.", True),
    ],
)
def test_a_decision_without_a_reason_or_a_condition_is_malformed(decision: str, is_malformed: bool) -> None:
    text = f"# Decisions\n\n## Section\n\n### It is so\n\n{decision}\n\n## Next section\n"
    assert malformed_decisions(text) == ["It is so"] * is_malformed


def malformed_decisions(text: str) -> list[str]:
    """The headings of the decisions that lack a reason or a condition under which to revisit them."""
    form = re.compile(r"(?:[^*].*\n\n)?\*\*Reason\*\*: \S.*\.\n\n\*\*Revisit if\*\* \S.*\.", re.DOTALL)
    decisions = re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    return [heading for heading, body in decisions if not form.fullmatch(body.strip())]


def test_every_metric_of_the_functions_is_documented_and_no_other() -> None:
    bulks = BulkStats(max_seconds=0.5)
    text = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8")
    [section] = re.findall(r"^## Metrics\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    assert (
        set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        == counts(ApplyResult(newest_change_us=1), bulks, 1.0).keys()
    )


def test_every_ablation_is_in_the_table_of_the_guarantees_and_no_other() -> None:
    text = (ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| the same .*without part ([\d.]+) \((.+)\) \|", text, re.MULTILINE)
    assert sorted(rows) == sorted((ablation.rule.split(":")[0], name) for name, ablation in ABLATIONS.items())


def test_the_glossary_is_in_alphabetical_order_and_explains_each_term() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^## (.+)\n\n(?=\w)", text, re.MULTILINE)
    assert terms == re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert terms == sorted(set(terms), key=str.lower)


def test_every_document_can_be_reached_from_the_readme_and_the_website() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    website = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    names = [str(path.relative_to(ROOT / "docs")) for path in ROOT.glob("docs/**/*.md")]
    assert [name for name in names if name not in website] == []
    beside = {"index.md", "how-to/documents.md", "python.md", "glossary.md", "benchmarks-appendix.md"}
    assert [name for name in names if f"docs/{name}" not in readme and name not in beside] == []


def test_files_that_contributing_names_exist() -> None:
    names = re.findall(
        r"`((?:src|tests|infra|ops|bench)/[\w/.-]*)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    )
    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_release_checklist_names_the_documents_that_install_the_wheel() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [step] = re.findall(r"^4\. In (.*?), remove `make dist`", contributing, re.MULTILINE | re.DOTALL)
    documents = {str(path.relative_to(ROOT)) for path in DOCUMENTS if "\n$ pip install " in path.read_text("utf-8")}
    assert set(re.findall(r"[\w/-]+\.md", step)) == documents
