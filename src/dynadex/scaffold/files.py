"""Write several files into a folder: all of them or none, without replacing existing ones unasked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from dynadex.errors import DynadexError


def write(
    folder: Path, files: Mapping[str, str | bytes], *, force: bool = False, stopped: Callable[[], bool] = lambda: False
) -> list[Path]:
    """Write contents (by path within the folder) and return their full paths; create the folder if needed.

    Files are staged in a temporary folder first, so an interruption leaves the target unchanged.

    Raises:
        DynadexError: A file exists already and ``force`` is False, or a file cannot be written.
        KeyboardInterrupt: ``stopped`` returned True.
    """
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    targets = {folder / name: content for name, content in files.items()}
    _reject_existing(folder, targets, force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".dynadex-init-", dir=folder) as temporary:
            staging = Path(temporary)
            staged = {path: _staged(staging / str(i), content) for i, (path, content) in enumerate(targets.items())}
            if stopped():
                raise KeyboardInterrupt
            _move(staged, staging)
    except OSError as error:
        _remove_empty(new_folders)
        hint = "Choose a writable folder with --dir."
        raise DynadexError("write into", str(folder.absolute()), error.strerror or str(error), hint) from error
    except BaseException:
        _remove_empty(new_folders)
        raise
    return list(targets)


def _reject_existing(folder: Path, targets: Mapping[Path, str | bytes], force: bool) -> None:
    existing = [str(path.relative_to(folder)) for path in targets if path.exists()]
    if existing and not force:
        reason = f"{', '.join(existing)} already {'exists' if len(existing) == 1 else 'exist'}"
        raise DynadexError(
            "write into", str(folder.absolute()), reason, "Choose another folder with --dir, or replace with --force."
        )


def _staged(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _move(staged: Mapping[Path, Path], staging: Path) -> None:
    """Move staged files (by target) to their targets; on any error, restore the previous state."""
    undo: list[Callable[[], object]] = []
    try:
        for number, (path, file) in enumerate(staged.items()):
            new_folders = [parent for parent in path.parents if not parent.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            undo += [parent.rmdir for parent in reversed(new_folders)]
            if path.exists():
                backup = staging / f"backup-{number}"
                shutil.copy2(path, backup)
                undo.append(lambda backup=backup, path=path: backup.replace(path))  # type: ignore[misc]
            else:
                undo.append(path.unlink)
            file.replace(path)
    except BaseException:
        for step in reversed(undo):
            # A file that was not moved yet cannot be removed; the caller gets the original error.
            with suppress(OSError):
                step()
        raise


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
