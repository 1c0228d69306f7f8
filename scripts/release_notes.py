"""Print the changelog section of the current version, which becomes the text of its release.

python scripts/release_notes.py [--tag vX.Y.Z]

Fails if the tag does not match the version in src/dynadex/__init__.py, or if CHANGELOG.md has no dated section for it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSION_FILE = ROOT / "src" / "dynadex" / "__init__.py"
CHANGELOG = ROOT / "CHANGELOG.md"
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<rest>.*)$", re.MULTILINE)


class ReleaseError(Exception):
    """A reason why the version cannot be released, and what to do about it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the notes, or exit with the reason why there are none."""
    parser = argparse.ArgumentParser(description="Print the changelog section of the current version.")
    parser.add_argument("--tag", help="tag of the release; fail unless it matches the version")
    tag = parser.parse_args(arguments).tag
    try:
        version = current_version()
        if tag is not None:
            check_tag(tag, version)
        print(release_notes(CHANGELOG.read_text(encoding="utf-8"), version))
    except ReleaseError as error:
        sys.exit(f"release_notes: {error}")


def current_version() -> str:
    """Version in the source, read without importing the package: nothing needs to be installed."""
    match = _VERSION.search(VERSION_FILE.read_text(encoding="utf-8"))
    if not match:
        raise ReleaseError(f"{VERSION_FILE.relative_to(ROOT)} has no line that sets __version__.")
    return match[1]


def check_tag(tag: str, version: str) -> None:
    """Raise ReleaseError unless the tag is `v` and the version."""
    if tag != f"v{version}":
        raise ReleaseError(
            f"Tag {tag} does not match version {version} in {VERSION_FILE.relative_to(ROOT)}. "
            f"Tag the commit v{version}, or change the version first."
        )


def release_notes(changelog: str, version: str) -> str:
    """Text of the version's section, without its heading.

    Raises:
        ReleaseError: The section is missing, undated or empty.
    """
    headings = list(_HEADING.finditer(changelog))
    for position, heading in enumerate(headings):
        if heading["version"] != version:
            continue
        if not is_dated(heading["rest"]):
            raise ReleaseError(
                f'The heading "{heading[0]}" in CHANGELOG.md has no date. Write it as "## [{version}] - YYYY-MM-DD".'
            )
        end = headings[position + 1].start() if position + 1 < len(headings) else len(changelog)
        notes = changelog[heading.end() : end].strip()
        if not notes:
            raise ReleaseError(f"The section of {version} in CHANGELOG.md is empty. Describe what changed.")
        return notes
    raise ReleaseError(
        f'CHANGELOG.md has no section for {version}. Rename "## [Unreleased]" to "## [{version}] - YYYY-MM-DD".'
    )


def is_dated(rest: str) -> bool:
    """Whether the rest of a heading is " - " and a calendar date in the form YYYY-MM-DD; the release may be yanked."""
    match = re.fullmatch(r" - (\d{4}-\d{2}-\d{2})( \[YANKED\])?", rest)
    if not match:
        return False
    try:
        date.fromisoformat(match[1])
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    main()
