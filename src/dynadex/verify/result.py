"""What verify finds and counts. Ids, keys and names of fields; never the value of an attribute that is no key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dynadex.change import Item
from dynadex.document.body import decode, encode, same
from dynadex.document.typed_json import binary


class Kind(StrEnum):
    """How a document is not what its item becomes."""

    MISSING = "missing"
    """There is an item, and no document."""
    ORPHAN = "orphan"
    """There is a document, and no item, or one that is not indexed."""
    DIFFERENT = "different"
    """Both are there, and some fields are not equal."""
    LAGGING = "lagging"
    """Any of these, and the stream is not yet applied that far: the index lags."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One document that is not what its item becomes.

    ``key`` is None where the document's id does not tell it. ``fields`` are those that differ, sorted, nested ones as
    dotted paths; none where there is no document, or none wanted. ``repaired`` is None where no repair was tried;
    ``note`` says why one failed, or that its key was dead-lettered. ``newly_unindexable``: its item was found to be
    unindexable only by the repair.
    """

    kind: Kind
    id: str
    key: Item | None = None
    fields: tuple[str, ...] = ()
    repaired: bool | None = None
    note: str = ""
    newly_unindexable: bool = False

    def as_json(self) -> dict[str, Any]:
        """As plain JSON; binary parts of the key as base64 text."""
        told: dict[str, Any] = {"kind": str(self.kind), "id": self.id, "key": _json_key(self.key)}
        told["fields"] = list(self.fields)
        if self.repaired is not None:
            told |= {"repaired": self.repaired}
        return told | ({"note": self.note} if self.note else {})


@dataclass(slots=True)
class Verified:
    """What a comparison of a table with an index came to.

    ``items`` were compared with their documents and ``documents`` with their items: all there are or, where
    ``sample`` is given, about that percentage.
    """

    index: str
    sample: float | None = None
    items: int = 0
    documents: int = 0
    found: Counter[Kind] = field(default_factory=Counter)
    repaired: Counter[Kind] = field(default_factory=Counter)
    not_indexed: int = 0
    """Items that the document function leaves out."""
    unindexable: int = 0
    """Items of which no document can be made, or that the index refused in a repair."""
    in_motion: int = 0
    """Keys that changed at every look until the time for them was over: neither equal nor different."""
    unchecked: int = 0
    """Documents of a sample whose shortened ids do not tell their keys."""

    def count(self, difference: Difference) -> None:
        """Count one difference, and its repair."""
        self.found[difference.kind] += 1
        self.repaired[difference.kind] += bool(difference.repaired)
        self.unindexable += difference.newly_unindexable

    @property
    def remaining(self) -> Counter[Kind]:
        """Differences found, without those that are repaired."""
        return self.found - self.repaired

    @property
    def equal(self) -> bool:
        """Whether nothing remains that differs."""
        return not self.remaining

    def summary(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "index": self.index,
            "sample": self.sample,
            "items": self.items,
            "documents": self.documents,
            "found": {str(kind): self.found[kind] for kind in Kind},
            "repaired": self.repaired.total(),
            "remaining": self.remaining.total(),
            "not_indexed": self.not_indexed,
            "unindexable": self.unindexable,
            "in_motion": self.in_motion,
            "unchecked": self.unchecked,
        }


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 item``, ``2,000 items``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def differing_fields(body: bytes, source: Any) -> tuple[str, ...]:
    """The fields in which a stored source differs from a document's bytes, sorted, nested ones as dotted paths."""
    return tuple(sorted(_differing(decode(body), source, "")))


def _differing(wanted: Any, found: Any, prefix: str) -> Iterator[str]:
    for name in wanted.keys() | found.keys():
        if name not in wanted or name not in found:
            yield prefix + name
        elif isinstance(wanted[name], dict) and isinstance(found[name], dict):
            yield from _differing(wanted[name], found[name], f"{prefix}{name}.")
        elif not same(encode({name: wanted[name]}), {name: found[name]}):
            yield prefix + name


def _json_key(key: Item | None) -> dict[str, Any] | None:
    if key is None:
        return None
    return {
        name: {kind: binary(content) if kind == "B" else content for kind, content in value.items()}
        for name, value in key.items()
    }
