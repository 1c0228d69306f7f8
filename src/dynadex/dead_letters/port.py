"""The port for dead letters: keys that could not be indexed, each with the reason.

A dead letter holds no document and no image. Redrive reads the current item.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from dynadex.change import Item
from dynadex.errors import DynadexError

_MAX_REASON = 2_000
# Characters that a key may hold, but a UTF-8 file (surrogates) or an SQS message (all of these) cannot: escaped.
_UNSENDABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


class DeadLetterError(DynadexError):
    """Dead letters cannot be written or read. Records whose letters cannot be written must be reported as failed."""

    retryable = True


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A key that could not be indexed."""

    index: str
    """Physical index that the key could not be indexed in; empty when it concerns every index."""
    id: str
    """Document id; empty when the record has no usable key."""
    key: Item | None
    """Key in typed JSON, binary values as base64 text; None when the record has no key."""
    reason: str
    sequence_number: str | None
    """Sequence number of the last record that failed; None for a scanned item."""
    dead_lettered_at: str
    """ISO time in UTC."""

    def to_json(self) -> str:
        """Return the letter as one line of JSON."""
        fields = asdict(self) | {"reason": self.reason[:_MAX_REASON]}
        return _UNSENDABLE.sub(_escaped, json.dumps(fields, default=_base64, ensure_ascii=False))

    @classmethod
    def from_json(cls, line: str) -> DeadLetter:
        """Return the letter that ``to_json`` wrote. Raises ValueError for any other text."""
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("not a dead letter: not a JSON object")
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"not a dead letter: {error}") from error


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A stored dead letter, with the handle by which its store removes or releases it."""

    letter: DeadLetter
    handle: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """Number of stored dead letters, and the oldest one."""

    count: int
    oldest: DeadLetter | None = None
    """None where the store cannot show it without hiding it from other readers, as a queue cannot."""
    estimated: bool = False
    """Whether ``count`` is an estimate."""


class DeadLetterSink(Protocol):
    """Store that dead letters are written to."""

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Store the letters. Raises DeadLetterError unless every one of them is stored."""
        ...


class DeadLetters(DeadLetterSink, Protocol):
    """Store of dead letters, to redrive and to report. Every method may raise DeadLetterError."""

    def batches(self) -> Iterator[list[StoredLetter]]:
        """Yield every stored letter once, in batches. A queue hides them from other readers for a while."""
        ...

    def remove(self, letters: Sequence[StoredLetter]) -> None:
        """Delete letters whose keys are settled."""
        ...

    def release(self, letters: Sequence[StoredLetter]) -> None:
        """Make letters that ``batches`` yielded available to other readers again."""
        ...

    def backlog(self) -> Backlog:
        """Return how many letters are stored, without changing anything."""
        ...


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _base64(content: Any) -> str:
    if isinstance(content, bytes | bytearray):
        return b64encode(content).decode("ascii")
    raise TypeError(f"{type(content).__name__} in the key of a dead letter")
