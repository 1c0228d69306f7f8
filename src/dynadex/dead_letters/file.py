"""Dead letters in a local file, a line of JSON each."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dynadex.dead_letters.port import Backlog, DeadLetter, DeadLetterError, StoredLetter

_SHOWN = 60
_BATCH = 100


class DeadLetterFile:
    """Appended and synced to disk; rewritten as a whole, by renaming, when letters are removed.

    A lock beside the file keeps those who append and those who rewrite apart; locking the file itself would not,
    since the rename leaves a waiting writer with a file that nobody sees any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, letters: Sequence[DeadLetter]) -> None:
        with self._locked("dead-letter dead letters in"), self.path.open("a", encoding="utf-8") as file:
            file.writelines(letter.to_json() + "\n" for letter in letters)
            file.flush()
            os.fsync(file.fileno())

    def batches(self) -> Iterator[list[StoredLetter]]:
        # To look for what nobody dead-lettered makes neither a folder nor a lock.
        if not self.path.exists():
            return
        with self._locked("read the dead letters in"):
            lines = self._lines()
        for start in range(0, len(lines), _BATCH):
            yield [StoredLetter(self._letter(line), line) for line in lines[start : start + _BATCH]]

    def remove(self, letters: Sequence[StoredLetter]) -> None:
        if not letters:
            return
        gone = Counter(one.handle for one in letters)
        with self._locked("remove dead letters from"):
            kept = []
            for line in self._lines():
                if gone[line]:
                    gone[line] -= 1
                else:
                    kept.append(line + "\n")
            beside = self.path.with_name(self.path.name + ".new")
            with beside.open("w", encoding="utf-8") as file:
                file.writelines(kept)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)

    def keep(self, letters: Sequence[StoredLetter]) -> None:
        """They were never away."""

    def backlog(self) -> Backlog:
        # Without the lock, which would be made: the file is replaced whole, and half a line at its end is none yet.
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

    def _mend_end(self) -> None:
        """Cut off half a line, left by a writer that was killed, or whose disk was full.

        What it stood for was never taken as dead-lettered, and comes again; the next letter would be lost behind it.
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
                "read the dead letters in", str(self.path), str(error), "Mend the file, or set DYNADEX_DEAD_LETTERS."
            ) from error

    def _letter(self, line: str) -> DeadLetter:
        try:
            return DeadLetter.from_json(line)
        except ValueError as error:
            raise DeadLetterError(
                "read the dead letters in", str(self.path), f"{line[:_SHOWN]!r} begins a line that is none: {error}",
                "Mend or remove the line.",
            ) from error  # fmt: skip

    @contextmanager
    def _locked(self, operation: str) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_name(self.path.name + ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._mend_end()
                yield
        except OSError as error:
            raise self._failed(operation, error) from error

    def _failed(self, operation: str, error: OSError) -> DeadLetterError:
        hint = "Free the disk or mend its rights, or set DYNADEX_DEAD_LETTERS."
        return DeadLetterError(operation, str(self.path), str(error.strerror), hint)


def _is_letter(line: bytes) -> bool:
    try:
        DeadLetter.from_json(line.decode())
    except ValueError:
        return False
    return True
