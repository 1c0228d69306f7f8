"""Dead letters in a local file, one line of JSON each."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dynadex.dead_letters.port import Backlog, DeadLetter, DeadLetterError, StoredLetter

_MAX_SHOWN = 60
_BATCH = 100


class DeadLetterFile:
    """Dead letters in a file that is appended to and synced to disk.

    Removing letters rewrites the file and renames the new one over it. A separate lock file keeps writers apart: a
    lock on the file itself would leave a waiting writer with the old file after the rename.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, letters: Sequence[DeadLetter]) -> None:
        with self._locked("write dead letters to"), self.path.open("a", encoding="utf-8") as file:
            file.writelines(letter.to_json() + "\n" for letter in letters)
            file.flush()
            os.fsync(file.fileno())

    def batches(self) -> Iterator[list[StoredLetter]]:
        # Reading where no letter was ever written creates neither folder nor lock file.
        if not self.path.exists():
            return
        with self._locked("read the dead letters in"):
            lines = self._lines()
        for start in range(0, len(lines), _BATCH):
            yield [StoredLetter(self._letter(line), line) for line in lines[start : start + _BATCH]]

    def remove(self, letters: Sequence[StoredLetter]) -> None:
        if not letters:
            return
        removed = Counter(letter.handle for letter in letters)
        with self._locked("remove dead letters from"):
            remaining = []
            for line in self._lines():
                if removed[line]:
                    removed[line] -= 1
                else:
                    remaining.append(line + "\n")
            new_path = self.path.with_name(self.path.name + ".new")
            with new_path.open("w", encoding="utf-8") as file:
                file.writelines(remaining)
                file.flush()
                os.fsync(file.fileno())
            new_path.replace(self.path)

    def release(self, letters: Sequence[StoredLetter]) -> None:
        """Do nothing: reading a file hides no letters."""

    def backlog(self) -> Backlog:
        # Works without the lock, which would create a file. The file is replaced as a whole, and a partial last line
        # is not counted.
        try:
            whole, _, rest = self.path.read_bytes().rpartition(b"\n")
        except FileNotFoundError:
            return Backlog(0)
        except OSError as error:
            raise self._failed("read the dead letters in", error) from error
        lines = [line for line in whole.split(b"\n") if line.strip()]
        if _is_letter(rest):
            lines.append(rest)
        return Backlog(len(lines), self._letter(lines[0].decode(errors="replace")) if lines else None)

    def _truncate_partial_line(self) -> None:
        """Cut off a partial last line, left by a writer that was killed or whose disk was full.

        Its record was never acknowledged and is redelivered; a letter appended to the partial line would be lost.
        """
        with suppress(FileNotFoundError), self.path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            if file.read(1) in (b"", b"\n"):
                return
            file.seek(0)
            content = file.read()
            start = content.rfind(b"\n") + 1
            if _is_letter(content[start:]):
                file.write(b"\n")
            else:
                file.truncate(start)

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        try:
            return [line for line in self.path.read_text(encoding="utf-8").split("\n") if line.strip()]
        except UnicodeDecodeError as error:
            raise DeadLetterError(
                "read the dead letters in", str(self.path), str(error), "Fix the file, or set DYNADEX_DEAD_LETTERS."
            ) from error

    def _letter(self, line: str) -> DeadLetter:
        try:
            return DeadLetter.from_json(line)
        except ValueError as error:
            raise DeadLetterError(
                "read the dead letters in", str(self.path),
                f"the line that begins with {line[:_MAX_SHOWN]!r} is not a dead letter: {error}",
                "Fix or remove the line.",
            ) from error  # fmt: skip

    @contextmanager
    def _locked(self, operation: str) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(self.path.name + ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._truncate_partial_line()
                yield
        except OSError as error:
            raise self._failed(operation, error) from error

    def _failed(self, operation: str, error: OSError) -> DeadLetterError:
        hint = "Free disk space or fix the permissions of the file, or set DYNADEX_DEAD_LETTERS."
        return DeadLetterError(operation, str(self.path), str(error.strerror), hint)


def _is_letter(line: bytes) -> bool:
    try:
        DeadLetter.from_json(line.decode())
    except ValueError:
        return False
    return True
