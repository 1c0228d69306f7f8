"""The folder of a local stack is kept out of version control, and what was there before is left as it is."""

from __future__ import annotations

from pathlib import Path

from dynadex.local.state import StackFolder


def test_a_folder_of_its_own_is_kept_out_of_version_control(tmp_path: Path) -> None:
    for _ in range(2):
        StackFolder(tmp_path / "stack").prepare()
        assert (tmp_path / "stack" / ".gitignore").read_text() == "*\n"


def test_what_a_folder_of_the_users_ignores_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("build\n")
    StackFolder(tmp_path).prepare()
    assert (tmp_path / ".gitignore").read_text() == "build\n"


def test_a_project_without_a_gitignore_gets_none(tmp_path: Path) -> None:
    (tmp_path / "songs.py").write_text("")
    StackFolder(tmp_path).prepare()
    assert not (tmp_path / ".gitignore").exists()
