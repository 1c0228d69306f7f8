"""Differences between a table and an index, and their counts.

They contain ids, keys and names of fields, but never the value of an attribute outside the key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dynadex.change import Item
from dynadex.document.body import decode, encode, same
from dynadex.document.typed_json import json_key


class Kind(StrEnum):
    """How a document differs from what its item becomes."""

    MISSING = "missing"
    """The item exists, the document does not."""
    ORPHAN = "orphan"
    """The document exists, but its item does not, or is not indexed."""
    DIFFERENT = "different"
    """Both exist, and some fields differ."""
    LAGGING = "lagging"
    """Any of these, but the stream is not applied up to the time of the comparison."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that differs from what its item becomes.

    ``key`` is None if it cannot be derived from the id of the document. ``fields`` are the names of the fields that
    differ, sorted, with nested fields as dotted paths; empty if the document or the indexed item does not exist.
    ``repaired`` is None if no repair was tried. ``note`` is the reason why a repair failed, or states that the key was
    dead-lettered. ``newly_unindexable`` is true if only the repair showed that the item cannot be indexed.
    """

    kind: Kind
    id: str
    key: Item | None = None
    fields: tuple[str, ...] = ()
    repaired: bool | None = None
    note: str = ""
    newly_unindexable: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON, with binary parts of the key as base64 text."""
        row: dict[str, Any] = {"kind": str(self.kind), "id": self.id, "key": json_key(self.key) if self.key else None}
        row["fields"] = list(self.fields)
        if self.repaired is not None:
            row["repaired"] = self.repaired
        if self.note:
            row["note"] = self.note
        return row


@dataclass(slots=True)
class VerifyResult:
    """Counts of a comparison of a table with an index.

    ``items`` is the number of items compared with their documents, ``documents`` the number of documents compared with
    their items: all of them or, if ``sample`` is set, about that percentage.
    """

    index: str
    sample: float | None = None
    items: int = 0
    documents: int = 0
    differences: Counter[Kind] = field(default_factory=Counter)
    repaired: Counter[Kind] = field(default_factory=Counter)
    not_indexed: int = 0
    """Items that the document function excludes."""
    unindexable: int = 0
    """Items from which no document can be built, or whose document the index rejected in a repair."""
    in_motion: int = 0
    """Keys that changed between all checks until the time limit: neither equal nor different."""
    unchecked: int = 0
    """Documents of a sample that were not compared because their shortened ids do not contain their keys."""

    def count(self, difference: Difference) -> None:
        """Count a difference and its repair."""
        self.differences[difference.kind] += 1
        self.repaired[difference.kind] += bool(difference.repaired)
        self.unindexable += difference.newly_unindexable

    @property
    def remaining(self) -> Counter[Kind]:
        """Differences that are not repaired."""
        return self.differences - self.repaired

    @property
    def equal(self) -> bool:
        """Whether no difference remains."""
        return not self.remaining

    def summary(self) -> dict[str, Any]:
        """Return the counts as plain JSON."""
        return {
            "index": self.index,
            "sample": self.sample,
            "items": self.items,
            "documents": self.documents,
            "found": {str(kind): self.differences[kind] for kind in Kind},
            "repaired": self.repaired.total(),
            "remaining": self.remaining.total(),
            "not_indexed": self.not_indexed,
            "unindexable": self.unindexable,
            "in_motion": self.in_motion,
            "unchecked": self.unchecked,
        }


def differing_fields(body: bytes, source: Any) -> tuple[str, ...]:
    """Return the fields in which a stored source differs from a document's bytes, sorted, nested as dotted paths."""
    return tuple(sorted(_differing(decode(body), source, "")))


def _differing(expected: Any, stored: Any, prefix: str) -> Iterator[str]:
    for name in expected.keys() | stored.keys():
        if name not in expected or name not in stored:
            yield prefix + name
        elif isinstance(expected[name], dict) and isinstance(stored[name], dict):
            yield from _differing(expected[name], stored[name], f"{prefix}{name}.")
        elif not same(encode({name: expected[name]}), {name: stored[name]}):
            yield prefix + name
