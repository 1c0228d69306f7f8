"""What changes and items come to before anything is written: the ids of their documents, and the documents.

It depends on nothing but them and the declaration, not on any index, so it can be made while others are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dynadex.change import Change, Item
from dynadex.document.body import Built
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.versioning import latest
from dynadex.index.bulk import External, Write
from dynadex.index.reconcile import Build


@dataclass(frozen=True, slots=True)
class DocumentWrites:
    """What is to be written, by document id, and why some documents could not be made: of those it is a delete."""

    writes: dict[str, Write] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, identity: str, built: Built, version: int) -> None:
        """A document and the version that it is written with."""
        self.writes[identity] = Write(identity, built.body, External(version))
        if built.problem:
            self.problems[identity] = built.problem


@dataclass(frozen=True, slots=True)
class PreparedChanges:
    """Changes with their document ids; ``chosen``: the latest for each id; ``documents`` of those whose image is
    known; ``unidentified``: changes without a usable key, each with the reason; ``skipped``: ids of items that are
    there and not to be indexed."""

    identified: Sequence[tuple[str, Change]]
    chosen: Mapping[str, Change]
    documents: DocumentWrites
    unidentified: Sequence[tuple[Change, str]]
    skipped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PreparedItems:
    """Items that were read together: their keys by document id, their documents, and how many are not indexed."""

    keys: Mapping[str, Item]
    documents: DocumentWrites
    skipped: int


def prepare_changes(schema: KeySchema, build: Build, changes: Iterable[Change]) -> PreparedChanges:
    """Those of one key count as one, the latest."""
    identified: list[tuple[str, Change]] = []
    unidentified: list[tuple[Change, str]] = []
    for change in changes:
        try:
            identified.append((document_id(schema, change.key), change))
        except ValueError as error:
            unidentified.append((change, str(error)))
    chosen, documents, skipped = latest(identified), DocumentWrites(), set()
    for identity, change in chosen.items():
        if change.image_known:
            built = build(change.image)
            documents.add(identity, built, max(1, change.time_us))
            if change.image and built.body is None and not built.problem:
                skipped.add(identity)
    return PreparedChanges(identified, chosen, documents, unidentified, frozenset(skipped))


def prepare_items(schema: KeySchema, build: Build, items: Iterable[Item], version: int) -> PreparedItems:
    """``version`` is what a read at that time is worth. Raises ValueError for an item without a usable key."""
    keys: dict[str, Item] = {}
    documents, skipped = DocumentWrites(), 0
    for item in items:
        key = schema.key_of(item)
        identity = document_id(schema, key)
        built = build(item)
        keys[identity] = key
        documents.add(identity, built, version)
        skipped += built.body is None and not built.problem
    return PreparedItems(keys, documents, skipped)
