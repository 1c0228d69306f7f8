"""Files of a new project: all or none are written, and existing files are safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynadex.errors import DynadexError
from dynadex.scaffold.files import write

FILES = {"a.py": "a", "tests/test_a.py": "test", "infra/app.py": "app"}


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_folder_is_created(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    assert write(folder, FILES) == [folder / name for name in FILES]
    assert contents(tmp_path) == {f"deep/down/{name}": text for name, text in FILES.items()}


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    write(tmp_path, FILES)
    assert contents(tmp_path) == FILES | {"mine.txt": "mine"}


def test_without_force_an_existing_file_stops_the_writing_of_all(tmp_path: Path) -> None:
    write(tmp_path, {"infra/app.py": "mine", "a.py": "mine"})
    with pytest.raises(DynadexError, match=r"a\.py, infra/app\.py already exist\. .*--dir.*--force"):
        write(tmp_path, FILES)
    assert contents(tmp_path) == {"infra/app.py": "mine", "a.py": "mine"}


def test_with_force_existing_files_are_replaced(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "mine", "mine.txt": "mine"})
    write(tmp_path, FILES, force=True)
    assert contents(tmp_path) == FILES | {"mine.txt": "mine"}


@pytest.mark.parametrize("existing", [{}, {"a.py": "mine"}], ids=["empty folder", "with force"])
def test_stopping_leaves_the_folder_unchanged(tmp_path: Path, existing: dict[str, str]) -> None:
    folder = tmp_path / "new"
    if existing:
        write(folder, existing)
    with pytest.raises(KeyboardInterrupt):
        write(folder, FILES, force=True, stopped=lambda: True)
    assert contents(tmp_path) == {f"new/{name}": text for name, text in existing.items()}
    assert folder.exists() is bool(existing)


def test_failure_half_way_leaves_the_folder_unchanged(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "mine"})
    # A folder in the place of the last file makes its move fail.
    (tmp_path / "infra" / "app.py").mkdir(parents=True)
    with pytest.raises(DynadexError, match=r"annot write into .*--dir"):
        write(tmp_path, FILES, force=True)
    assert contents(tmp_path) == {"a.py": "mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.py", "infra"]


def test_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DynadexError, match="Choose a writable folder"):
        write(tmp_path / "file", FILES)
    assert contents(tmp_path) == {"file": "mine"}
