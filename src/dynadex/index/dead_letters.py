"""Keys that could not be indexed, parked with the reason. Never a payload: redrive reads the item anew."""

from __future__ import annotations

import fcntl
import json
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from dynadex.change import Item
from dynadex.errors import DynadexError


class ParkingError(DynadexError):
    """Dead letters cannot be parked: the records they stand for must be reported as failed."""

    retryable = True


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One parked key. ``key`` is typed JSON (None for a record that named none); ``sequence_number`` of the last
    record that failed, None for a scanned item."""

    index: str
    id: str
    key: Item | None
    reason: str
    sequence_number: str | None
    parked_at: str


class DeadLetters(Protocol):
    """Where dead letters go."""

    def park(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them. Raises ParkingError unless every one of them is kept."""
        ...


class FileDeadLetters:
    """Dead letters as lines of JSON in a local file, appended and synced to disk under a lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def park(self, letters: Sequence[DeadLetter]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.writelines(_line(letter) for letter in letters)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ParkingError(
                "park dead letters in",
                str(self.path),
                str(error.strerror),
                "Free the disk, or set DYNADEX_DEAD_LETTERS.",
            ) from error

    def letters(self) -> list[DeadLetter]:
        """All of them, oldest first."""
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8") as file:
            return [DeadLetter(**json.loads(line)) for line in file if line.strip()]


def _line(letter: DeadLetter) -> str:
    return json.dumps(asdict(letter), default=_base64, ensure_ascii=False) + "\n"


def _base64(content: object) -> str:
    if isinstance(content, bytes | bytearray):
        return b64encode(content).decode("ascii")
    raise TypeError(f"{type(content).__name__} in the key of a dead letter")
