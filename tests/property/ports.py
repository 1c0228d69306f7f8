"""Slow and unreliable versions of the product's ports: before and after each call other actors may run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from dynadex.change import Item
from dynadex.dead_letters.port import DeadLetter, DeadLetterError
from dynadex.errors import SearchUnavailable, SourceUnavailable
from dynadex.index.opensearch import Stored

# Name of the fault of a call; "" for none.
Fault = str
FAULTS: tuple[Fault, ...] = ("rejected", "reply lost", "partly applied", "read failed", "dead-lettering failed")


Reads = Callable[[Sequence[Item]], Sequence[Item | None]]


class Cluster(Protocol):
    """The search cluster, as far as the world uses it."""

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]: ...
    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]: ...
    def refresh(self, index: str) -> None: ...
    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]: ...


class UnreliableCluster:
    """A cluster whose calls can be overtaken, and can fail before, while or after they are applied.

    Only documents whose ids start with ``prefix`` are listed: other schedules share the index of a real cluster.
    """

    def __init__(
        self, inner: Cluster, pause: Callable[[], None], fault: Callable[[str], Fault], prefix: str = ""
    ) -> None:
        self._inner = inner
        self._prefix = prefix
        self._pause = pause
        self._fault = fault

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        self._pause()
        fault = self._fault("bulk")
        if fault == "rejected":
            raise SearchUnavailable("write to index", index, "429 too many requests")
        if fault == "partly applied":
            replies: Sequence[Mapping[str, Any]] = self._half(index, body, timeout_seconds)
        else:
            replies = self._inner.bulk(index, body, timeout_seconds)
        self._pause()
        if fault == "reply lost":
            raise SearchUnavailable("write to index", index, "connection reset")
        return replies

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        self._pause()
        if self._fault("read") == "read failed":
            raise SearchUnavailable("read from index", index, "503 unavailable")
        documents = self._inner.get_many(index, ids)
        self._pause()
        return documents

    def refresh(self, index: str) -> None:
        self._inner.refresh(index)

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        for page in self._inner.versions(index):
            self._pause()
            yield [(identity, version) for identity, version in page if identity.startswith(self._prefix)]

    def _half(self, index: str, body: bytes, timeout_seconds: float) -> list[Mapping[str, Any]]:
        """Apply every second write, and reply 429 to the others."""
        replies: list[Mapping[str, Any]] = []
        for position, write in enumerate(writes_of(body)):
            if position % 2:
                replies.append({"index": {"status": 429, "error": {"type": "rejected_execution_exception"}}})
            else:
                replies.extend(self._inner.bulk(index, write, timeout_seconds))
        return replies


def writes_of(body: bytes) -> list[bytes]:
    lines = body.split(b"\n")[:-1]
    writes = []
    while lines:
        count = 1 if lines[0].startswith(b'{"delete"') else 2
        writes.append(b"\n".join(lines[:count]) + b"\n")
        lines = lines[count:]
    return writes


class UnreliableReads:
    """Consistent reads of items that can be overtaken, and can fail."""

    def __init__(
        self,
        read: Reads,
        pause: Callable[[], None],
        fault: Callable[[str], Fault],
    ) -> None:
        self._read = read
        self._pause = pause
        self._fault = fault

    def __call__(self, keys: Sequence[Item]) -> Sequence[Item | None]:
        self._pause()
        if self._fault("read") == "read failed":
            raise SourceUnavailable("read items of table", "table", "throttled")
        items = self._read(keys)
        self._pause()
        return items


class MemoryDeadLetters:
    """Dead letters in a list; writing them can fail."""

    def __init__(self, fault: Callable[[str], Fault]) -> None:
        self._fault = fault
        self.letters: list[DeadLetter] = []

    def add(self, letters: Sequence[DeadLetter]) -> None:
        if self._fault("add") == "dead-lettering failed":
            raise DeadLetterError("write dead letters to", "memory", "the store is unavailable")
        self.letters += letters
