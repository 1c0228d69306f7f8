"""A new project installs dynadex from where the running dynadex came from."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from dynadex import __version__
from dynadex.scaffold import package_source
from dynadex.scaffold.package_source import FROM_INDEX, PackageSource, current_source

WHEEL = f"dynadex-{__version__}-py3-none-any.whl"


class Recorded:
    """Metadata of an installed package with this content of direct_url.json; None if it has no such file."""

    def __init__(self, origin: dict[str, Any] | None) -> None:
        self._text = None if origin is None else json.dumps(origin)

    def read_text(self, name: str) -> str | None:
        return self._text if name == "direct_url.json" else None


def installed_from(origin: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch) -> PackageSource:
    monkeypatch.setattr(package_source, "distribution", lambda _: Recorded(origin))
    return current_source()


def line_of(current: PackageSource) -> str:
    [line] = [line for line in current.requirements.splitlines() if not line.startswith("#")]
    return line


def test_release_from_an_index_is_named_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    current = installed_from(None, monkeypatch)
    assert (current, line_of(current)) == (FROM_INDEX, "dynadex[worker]")
    assert (current.files(tmp_path), current.missing_wheel(tmp_path)) == ({}, "")


def test_package_without_metadata_counts_as_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(package_source, "distribution", missing)
    assert current_source() == FROM_INDEX


def test_installed_wheel_is_copied_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wheel, project = tmp_path / "a clone" / WHEEL, tmp_path / "project"
    wheel.parent.mkdir()
    wheel.write_bytes(b"wheel")
    current = installed_from({"url": wheel.as_uri(), "archive_info": {}}, monkeypatch)
    assert line_of(current) == f"./{WHEEL}[worker]"
    assert current.files(project) == {WHEEL: b"wheel"}
    assert current.missing_wheel(project) == ""
    project.mkdir()
    (project / WHEEL).write_bytes(b"wheel")
    assert current.files(project) == {}
    (project / WHEEL).write_bytes(b"older")
    assert current.files(project) == {WHEEL: b"wheel"}


def test_clone_needs_a_wheel_and_the_command_names_the_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    origin = {"url": (tmp_path / "a clone").as_uri(), "dir_info": {"editable": True}}
    current = installed_from(origin, monkeypatch)
    assert line_of(current) == f"./{WHEEL}[worker]"
    assert current.files(tmp_path) == {}
    command = f"make -C '{tmp_path}/a clone' dist && cp '{tmp_path}/a clone'/dist/{WHEEL} new"
    assert current.missing_wheel(Path("new")) == command


@pytest.mark.parametrize(
    "origin",
    [
        {"url": f"file:///no/such/folder/{WHEEL}", "archive_info": {}},
        {"url": "https://github.com/dynadex/dynadex", "vcs_info": {"vcs": "git", "commit_id": "0"}},
        {"url": f"https://example.org/{WHEEL}", "archive_info": {}},
    ],
)
def test_other_origin_needs_a_wheel_of_a_clone_next_to_the_project(
    origin: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    current = installed_from(origin, monkeypatch)
    assert line_of(current) == f"./{WHEEL}[worker]"
    assert current.missing_wheel(Path("new")) == f"make -C ../dynadex dist && cp ../dynadex/dist/{WHEEL} new"
