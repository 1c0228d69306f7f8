"""Keys that could not be indexed, dead-lettered with the reason. Never a payload: redrive reads the item anew."""

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
# What no file in UTF-8 (the first) and no SQS message (all of them) can hold, though a key may: written as escapes.
_UNSENDABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


class DeadLetterError(DynadexError):
    """Dead letters cannot be dead-lettered: the records they stand for must be reported as failed."""

    retryable = True


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead-lettered key.

    ``index`` is where it could not be indexed; ``key`` is typed JSON, binary as base64 text (None for a record that
    named none); ``sequence_number`` is that of the last record that failed, None for a scanned item;
    ``dead_lettered_at`` is an ISO time in UTC.
    """

    index: str
    id: str
    key: Item | None
    reason: str
    sequence_number: str | None
    dead_lettered_at: str

    def to_json(self) -> str:
        """One line of JSON."""
        fields = asdict(self) | {"reason": self.reason[:_MAX_REASON]}
        return _UNSENDABLE.sub(_escaped, json.dumps(fields, default=_base64, ensure_ascii=False))

    @classmethod
    def from_json(cls, line: str) -> DeadLetter:
        """The letter that ``to_json`` wrote. Raises ValueError for anything else."""
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("not a dead letter: no JSON object")
        try:
            return cls(**fields)
        except TypeError as error:
            raise ValueError(f"not a dead letter: {error}") from error


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter where it is dead-lettered; ``handle`` is the place's own name for it."""

    letter: DeadLetter
    handle: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many letters are dead-lettered, and the one that was dead-lettered first.

    ``oldest`` is None where looking at it would take it away from others, as in a queue, whose ``count`` is an
    estimate, too.
    """

    count: int
    oldest: DeadLetter | None = None
    estimated: bool = False


class DeadLetterSink(Protocol):
    """What the indexer needs: somewhere to dead-letter."""

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep them. Raises DeadLetterError unless every one of them is kept."""
        ...


class DeadLetters(DeadLetterSink, Protocol):
    """A place for dead letters, to redrive and to report. Every call raises DeadLetterError when it cannot be used."""

    def batches(self) -> Iterator[list[StoredLetter]]:
        """Every letter dead-lettered by now, in batches, each letter once."""
        ...

    def remove(self, letters: Sequence[StoredLetter]) -> None:
        """Forget these: their keys are settled."""
        ...

    def keep(self, letters: Sequence[StoredLetter]) -> None:
        """These stay, and may be taken up again at once."""
        ...

    def backlog(self) -> Backlog:
        """How much is dead-lettered; changes nothing."""
        ...


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _base64(content: Any) -> str:
    if isinstance(content, bytes | bytearray):
        return b64encode(content).decode("ascii")
    raise TypeError(f"{type(content).__name__} in the key of a dead letter")
