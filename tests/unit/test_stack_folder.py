"""The folder of a local stack is excluded from version control, and existing files stay unchanged."""

from __future__ import annotations

from pathlib import Path

from dynadex.local.state import StackFolder


def test_new_folder_is_excluded_from_version_control(tmp_path: Path) -> None:
    for _ in range(2):
        StackFolder(tmp_path / "stack").prepare()
        assert (tmp_path / "stack" / ".gitignore").read_text() == "*\n"


def test_existing_gitignore_is_unchanged(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("build\n")
    StackFolder(tmp_path).prepare()
    assert (tmp_path / ".gitignore").read_text() == "build\n"


def test_folder_with_files_gets_no_gitignore(tmp_path: Path) -> None:
    (tmp_path / "songs.py").write_text("")
    StackFolder(tmp_path).prepare()
    assert not (tmp_path / ".gitignore").exists()
