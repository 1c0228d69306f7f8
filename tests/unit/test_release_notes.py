"""The text of a release: the dated section of its version in the changelog."""

from __future__ import annotations

import re
from typing import Any

import pytest

import dynadex
from tests.docs.blocks import ROOT
from tests.docs.scripts import loaded

release_notes: Any = loaded("release_notes")
CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2027-02-03

### Added

- A second feature.

## [0.1.0] - 2027-01-02

### Added

- A first feature.
"""
# Headings of Keep a Changelog, in the order in which a section has them.
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


@pytest.mark.parametrize(("version", "feature"), [("0.2.0", "second"), ("0.1.0", "first")])
def test_notes_are_the_section_of_the_version_alone(version: str, feature: str) -> None:
    assert release_notes.release_notes(CHANGELOG, version) == f"### Added\n\n- A {feature} feature."


@pytest.mark.parametrize("version", ["0.3.0", "0.1", "0.1.00", "0x1.0"])
def test_missing_section_is_an_error_that_shows_the_heading_to_write(version: str) -> None:
    with pytest.raises(release_notes.ReleaseError, match=re.escape(f"## [{version}] - YYYY-MM-DD")):
        release_notes.release_notes(CHANGELOG, version)


@pytest.mark.parametrize("date", ["", " - unreleased", " - 2027-02-30", " - 2027-2-3", " 2027-02-03", " - 20270203"])
def test_heading_without_a_calendar_date_is_an_error(date: str) -> None:
    changelog = CHANGELOG.replace(" - 2027-02-03", date)
    with pytest.raises(release_notes.ReleaseError, match="has no date"):
        release_notes.release_notes(changelog, "0.2.0")


def test_yanked_release_keeps_its_date_and_its_notes() -> None:
    changelog = CHANGELOG.replace("2027-02-03", "2027-02-03 [YANKED]")
    assert release_notes.release_notes(changelog, "0.2.0") == release_notes.release_notes(CHANGELOG, "0.2.0")


def test_empty_section_is_an_error() -> None:
    changelog = CHANGELOG.replace("### Added\n\n- A second feature.\n\n", "")
    with pytest.raises(release_notes.ReleaseError, match="is empty"):
        release_notes.release_notes(changelog, "0.2.0")


@pytest.mark.parametrize("tag", ["0.1.0", "v0.1", "v0.1.0.1", "v0.1.0-rc1", ""])
def test_tag_of_another_version_is_an_error(tag: str) -> None:
    release_notes.check_tag("v0.1.0", "0.1.0")
    with pytest.raises(release_notes.ReleaseError, match=r"does not match version 0\.1\.0"):
        release_notes.check_tag(tag, "0.1.0")


def test_command_prints_the_notes_of_the_current_version(capsys: pytest.CaptureFixture[str]) -> None:
    release_notes.main(["--tag", f"v{dynadex.__version__}"])
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() == release_notes.release_notes(changelog, dynadex.__version__)


def test_command_exits_with_the_reason_and_prints_no_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"release_notes: Tag v0\.0\.0 does not match"):
        release_notes.main(["--tag", "v0.0.0"])
    assert capsys.readouterr().out == ""


def test_changelog_starts_with_unreleased_and_dates_every_release_newest_first() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, *releases = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert unreleased == "[Unreleased]"
    headings = [re.fullmatch(r"\[(\d+\.\d+\.\d+\S*)\]( - (\S+).*)", heading) for heading in releases]
    dates = [heading[3] for heading in headings if heading and release_notes.is_dated(heading[2])]
    assert len(dates) == len(releases)
    assert dates == sorted(dates, reverse=True)


def test_changelog_groups_one_line_changes_by_kind() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", section, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds]
        assert [line for line in section.splitlines() if line and not line.startswith(("- ", "### "))] == []
