"""Bulk requests: the bytes of each write, and the meaning of each item of a reply. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import orjson


class External(NamedTuple):
    """Condition: the version is above that of the document or its tombstone (``version_type: external``)."""

    version: int


class Unchanged(NamedTuple):
    """Condition: the document was not written since it was read. The write raises its version by 1."""

    seq_no: int
    primary_term: int


Condition = External | Unchanged


class Write(NamedTuple):
    """One document to index, or to delete when ``body`` is None."""

    id: str
    body: bytes | None
    condition: Condition

    def encoded(self) -> bytes:
        """Return the lines of this write in a bulk request whose path names the index."""
        condition = b""
        if isinstance(self.condition, External):
            condition = b',"version":%d,"version_type":"external"' % self.condition
        elif isinstance(self.condition, Unchanged):
            condition = b',"if_seq_no":%d,"if_primary_term":%d' % self.condition
        if self.body is None:
            return b'{"delete":{"_id":%b%b}}\n' % (orjson.dumps(self.id), condition)
        return b'{"index":{"_id":%b%b}}\n%b\n' % (orjson.dumps(self.id), condition, self.body)


class Outcome(Enum):
    """Meaning of the reply to one write."""

    APPLIED = "applied"
    CONFLICT = "conflict"
    """The write's condition does not hold."""
    RETRY = "retry"
    """The cluster could not accept the write now."""
    REJECTED = "rejected"
    """The cluster rejects this document."""
    NO_INDEX = "no index"
    FORBIDDEN = "forbidden"
    """The role or user may not write to the index."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An outcome, with the cluster's own reason unless the write was applied."""

    outcome: Outcome
    reason: str = ""


APPLIED = Reply(Outcome.APPLIED)
_OK = frozenset((200, 201))
_CONFLICT, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 409, 404, 429, 500
# The error of a delete through an alias that does not exist: OpenSearch tries to create an index of that name.
_INVALID_NAME = "invalid_index_name_exception"
# Rejections of one write that are about the index or the permissions, so that every other write would fail too.
_INDEX_OUTCOMES = {
    _INVALID_NAME: Outcome.NO_INDEX,
    "cluster_block_exception": Outcome.RETRY,
    "index_closed_exception": Outcome.RETRY,
    "security_exception": Outcome.FORBIDDEN,
}


def classify(item: Mapping[str, Any]) -> Reply:
    """Return the outcome of one item of a bulk reply. Only this function decides it.

    A delete that finds no document (404) is applied. A write that fails because of what it contains
    (400, 403, ...) is rejected: it would fail again, so its key must be dead-lettered, or its batch would never end.
    A blocked or closed index and missing permissions are not rejections: those would dead-letter every key.
    """
    [(action, result)] = item.items()
    status = int(result.get("status", _SERVER_ERROR))
    error = result.get("error")
    if status in _OK:
        return APPLIED
    if status == _CONFLICT:
        return Reply(Outcome.CONFLICT, reason_of(error))
    if status == _NOT_FOUND:
        if action == "delete" and error is None:
            return APPLIED
        return Reply(Outcome.NO_INDEX, reason_of(error))
    if isinstance(error, Mapping) and error.get("type") in _INDEX_OUTCOMES:
        return Reply(_INDEX_OUTCOMES[error["type"]], reason_of(error))
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        return Reply(Outcome.RETRY, reason_of(error))
    return Reply(Outcome.REJECTED, reason_of(error))


def reason_of(error: Any) -> str:
    """Return the cluster's reason with its causes on one line, outermost first."""
    reasons: list[str] = []
    while isinstance(error, Mapping):
        text = ": ".join(" ".join(str(error[part]).split()) for part in ("type", "reason") if error.get(part))
        if text and text not in reasons:
            reasons.append(text)
        error = error.get("caused_by")
    if isinstance(error, str) and error:
        reasons.append(error)
    return " <- ".join(reasons) or "no reason given"


def split_by_bytes(writes: Sequence[bytes], max_bytes: int) -> Iterator[range]:
    """Yield consecutive ranges of writes, each of at most ``max_bytes``. A larger write gets a separate range."""
    start = size = 0
    for position, encoded in enumerate(writes):
        if position > start and size + len(encoded) > max_bytes:
            yield range(start, position)
            start, size = position, 0
        size += len(encoded)
    if start < len(writes):
        yield range(start, len(writes))
