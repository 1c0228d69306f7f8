"""One bulk request: its bytes, and what each item of the reply means. Pure functions and frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import orjson


class External(NamedTuple):
    """Write only if the version is above the document's, deleted ones included (``version_type: external``)."""

    version: int


class Unchanged(NamedTuple):
    """Write only if nobody wrote the document since it was read; its version becomes one more."""

    seq_no: int
    primary_term: int


Condition = External | Unchanged


class Write(NamedTuple):
    """One document to write, or to delete when ``body`` is None."""

    id: str
    body: bytes | None
    condition: Condition

    def encoded(self) -> bytes:
        """The lines of this write in a bulk request to an index named in its path."""
        only_if = b""
        if isinstance(self.condition, External):
            only_if = b',"version":%d,"version_type":"external"' % self.condition
        elif isinstance(self.condition, Unchanged):
            only_if = b',"if_seq_no":%d,"if_primary_term":%d' % self.condition
        if self.body is None:
            return b'{"delete":{"_id":%b%b}}\n' % (orjson.dumps(self.id), only_if)
        return b'{"index":{"_id":%b%b}}\n%b\n' % (orjson.dumps(self.id), only_if, self.body)


class Outcome(Enum):
    """What became of one write."""

    APPLIED = "applied"
    CONFLICT = "conflict"
    RETRY = "retry"
    REJECTED = "rejected"
    NO_INDEX = "no index"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Reply:
    """An outcome, and the cluster's own reason where it is not plain success."""

    outcome: Outcome
    reason: str = ""


APPLIED = Reply(Outcome.APPLIED)
_OK = frozenset((200, 201))
_CONFLICT, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 409, 404, 429, 500
# What a delete is answered whose alias is gone: OpenSearch would create an index of its name, and cannot.
_NO_SUCH_NAME = "invalid_index_name_exception"
# Refusals of one item that are about the index or about us, not about the item: the next item would meet them too.
_OF_THE_INDEX = {
    _NO_SUCH_NAME: Outcome.NO_INDEX,
    "cluster_block_exception": Outcome.RETRY,
    "index_closed_exception": Outcome.RETRY,
    "security_exception": Outcome.FORBIDDEN,
}


def classify(item: Mapping[str, Any]) -> Reply:
    """What one item of a bulk reply means; the only place that decides it.

    A delete that finds nothing (404) is applied. Anything refused for itself (400, 403, ...) is rejected: sending
    it again would give the same answer, so it must be dead-lettered, or its batch would never end. Not so where the
    index is blocked or closed, or we may not write: that would dead-letter every key there is.
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
    if isinstance(error, Mapping) and error.get("type") in _OF_THE_INDEX:
        return Reply(_OF_THE_INDEX[error["type"]], reason_of(error))
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        return Reply(Outcome.RETRY, reason_of(error))
    return Reply(Outcome.REJECTED, reason_of(error))


def reason_of(error: Any) -> str:
    """The cluster's reason with its causes, outermost first, on one line."""
    reasons: list[str] = []
    while isinstance(error, Mapping):
        text = ": ".join(" ".join(str(error[part]).split()) for part in ("type", "reason") if error.get(part))
        if text and text not in reasons:
            reasons.append(text)
        error = error.get("caused_by")
    if isinstance(error, str) and error:
        reasons.append(error)
    return " <- ".join(reasons) or "no reason given"


def cut(writes: Sequence[bytes], max_bytes: int) -> Iterator[range]:
    """Consecutive ranges of writes whose bytes together stay within the limit; a larger single one stands alone."""
    start = size = 0
    for position, encoded in enumerate(writes):
        if position > start and size + len(encoded) > max_bytes:
            yield range(start, position)
            start, size = position, 0
        size += len(encoded)
    if start < len(writes):
        yield range(start, len(writes))
