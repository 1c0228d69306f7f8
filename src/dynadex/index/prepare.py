"""Preparation of changes and items: document ids, documents and versions, before anything is written.

Preparation depends only on the declaration. It calls neither table nor index, so it can run while another batch is
written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dynadex.change import Change, Item
from dynadex.document.body import Built
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.versioning import Timing, latest, read_version
from dynadex.index.bulk import External, Write
from dynadex.index.reconcile import Build


@dataclass(frozen=True, slots=True)
class DocumentRules:
    """Rules by which an item becomes a document: its id (``schema``), its content and its version (``timing``)."""

    schema: KeySchema
    build: Build
    timing: Timing


@dataclass(frozen=True, slots=True)
class DocumentWrites:
    """Writes by document id. A document that cannot be built is deleted; ``problems`` gives the reason by id."""

    writes: dict[str, Write] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def add(self, identity: str, built: Built, version: int) -> None:
        """Add the write of one document, with an external version."""
        self.writes[identity] = Write(identity, built.body, External(version))
        if built.problem:
            self.problems[identity] = built.problem


@dataclass(frozen=True, slots=True)
class PreparedChanges:
    """Changes with their document ids and documents."""

    identified: Sequence[tuple[str, Change]]
    """Every change whose key is usable, with its document id."""
    latest: Mapping[str, Change]
    """The last change of each document id."""
    documents: DocumentWrites
    """Documents of the latest changes, as far as their images are known."""
    unidentified: Sequence[tuple[Change, str]]
    """Changes without a usable key, each with the reason."""
    not_indexed: frozenset[str] = frozenset()
    """Ids of items that exist, and for which the document function returns None."""


@dataclass(frozen=True, slots=True)
class PreparedItems:
    """Items of one page: their keys and documents by document id, and how many of them are not indexed."""

    keys: Mapping[str, Item]
    documents: DocumentWrites
    not_indexed: int


def prepare_changes(rules: DocumentRules, changes: Iterable[Change]) -> PreparedChanges:
    """Prepare the last change of each key; the earlier ones share its outcome."""
    identified: list[tuple[str, Change]] = []
    unidentified: list[tuple[Change, str]] = []
    for change in changes:
        try:
            identified.append((document_id(rules.schema, change.key), change))
        except ValueError as error:
            unidentified.append((change, str(error)))
    latest_changes, documents, not_indexed = latest(identified), DocumentWrites(), set()
    for identity, change in latest_changes.items():
        if change.image_known:
            built = rules.build(change.image)
            documents.add(identity, built, max(1, change.time_us))
            if change.image and built.body is None and not built.problem:
                not_indexed.add(identity)
    return PreparedChanges(identified, latest_changes, documents, unidentified, frozenset(not_indexed))


def prepare_items(rules: DocumentRules, items: Iterable[Item], requested_at_us: int) -> PreparedItems:
    """Prepare items that were read at ``requested_at_us``. Raises ValueError for an item without a usable key."""
    version = read_version(requested_at_us, rules.timing)
    keys: dict[str, Item] = {}
    documents, not_indexed = DocumentWrites(), 0
    for item in items:
        key = rules.schema.key_of(item)
        identity = document_id(rules.schema, key)
        built = rules.build(item)
        keys[identity] = key
        documents.add(identity, built, version)
        not_indexed += built.body is None and not built.problem
    return PreparedItems(keys, documents, not_indexed)
