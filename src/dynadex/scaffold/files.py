"""Several files written into a folder: all of them or none, and none of those that are there already."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from dynadex.errors import DynadexError


def write(
    folder: Path, files: Mapping[str, str], *, force: bool = False, stopped: Callable[[], bool] = lambda: False
) -> list[Path]:
    """Write texts by their paths within the folder, which is made if it is not there; their full paths.

    They are written aside first: what stops this before its end, or ``stopped``, leaves the folder as it was.
    Raises DynadexError when one is there already, unless ``force``, or cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    targets = {folder / name: text for name, text in files.items()}
    _refuse_to_overwrite(folder, targets, force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".dynadex-init-", dir=folder) as aside:
            staged = {
                path: _staged(Path(aside) / str(number), text) for number, (path, text) in enumerate(targets.items())
            }
            if stopped():
                raise KeyboardInterrupt
            _move(staged, Path(aside))
    except OSError as error:
        _remove_empty(made)
        hint = "Choose a folder that can be written, with --dir."
        raise DynadexError("write into", str(folder.absolute()), error.strerror or str(error), hint) from error
    except BaseException:
        _remove_empty(made)
        raise
    return list(targets)


def _refuse_to_overwrite(folder: Path, targets: Mapping[Path, str], force: bool) -> None:
    there = [str(path.relative_to(folder)) for path in targets if path.exists()]
    if there and not force:
        reason = f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already"
        raise DynadexError(
            "write into", str(folder.absolute()), reason, "Choose another folder with --dir, or replace with --force."
        )


def _staged(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _move(staged: Mapping[Path, Path], aside: Path) -> None:
    """Put each file where it belongs; if one cannot be, take back those that were."""
    undo: list[Callable[[], object]] = []
    try:
        for number, (path, file) in enumerate(staged.items()):
            new = [parent for parent in path.parents if not parent.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            undo += [parent.rmdir for parent in reversed(new)]
            if path.exists():
                kept = aside / f"kept-{number}"
                shutil.copy2(path, kept)
                undo.append(lambda kept=kept, path=path: kept.replace(path))  # type: ignore[misc]
            else:
                undo.append(path.unlink)
            file.replace(path)
    except BaseException:
        for step in reversed(undo):
            _try(step)
        raise


def _try(step: Callable[[], object]) -> None:
    try:
        step()
    except OSError:
        # What was not put there yet cannot be taken back; the error that led here is raised.
        return


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        _try(folder.rmdir)
