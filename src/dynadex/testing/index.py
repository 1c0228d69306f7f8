"""In-memory search cluster with the versions, tombstones, sequence numbers and aliases of OpenSearch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dynadex.clock import Clock
from dynadex.declaration import seconds
from dynadex.document import body as bodies
from dynadex.document.identity import MAX_ID_BYTES
from dynadex.errors import SearchError
from dynadex.index.opensearch import IndexStats, Stored
from dynadex.testing.clock import ManualClock

_DEFAULT_GC_DELETES_SECONDS = 60.0
_PRIMARY_TERM = 1


@dataclass(slots=True)
class _Entry:
    """A document, or the tombstone of a deleted one (``source`` is None)."""

    version: int
    seq_no: int
    source: Any
    deleted_at: float = 0.0


class _PhysicalIndex:
    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.entries: dict[str, _Entry] = {}
        self.next_seq_no = 0
        settings = body.get("settings", {}).get("index", {})
        self.gc_deletes_seconds = (
            seconds(settings["gc_deletes"]) if "gc_deletes" in settings else _DEFAULT_GC_DELETES_SECONDS
        )


class InMemoryIndex:
    """Replacement for ``dynadex.index.opensearch.OpenSearchIndex`` in tests, without searching.

    Writes are visible immediately. Every method raises SearchError for an index that does not exist, unless noted.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        """Create a cluster without indexes.

        Args:
            clock: Clock by which tombstones expire, a `ManualClock` by default.
        """
        self._clock = clock or ManualClock()
        self._indexes: dict[str, _PhysicalIndex] = {}
        self._aliases: dict[str, set[str]] = {}

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002
        """Apply a bulk request.

        Args:
            index: Name of a physical index.
            body: Lines of the request.
            timeout_seconds: Not used.

        Returns:
            The items of the reply, in order: a 404 error for each write to an index that does not exist.

        Raises:
            SearchError: An id is too long; then nothing is written.
        """
        lines = iter(body.split(b"\n")[:-1])
        writes = []
        for line in lines:
            [(verb, action)] = orjson.loads(line).items()
            if len(action["_id"].encode()) > MAX_ID_BYTES:
                reason = f"id [{action['_id']}] is too long, must be no longer than {MAX_ID_BYTES} bytes"
                raise SearchError("write to index", index, reason, status=400)
            writes.append((verb, action, None if verb == "delete" else bodies.decode(next(lines))))
        return [{verb: self._write(index, verb, action, source)} for verb, action, source in writes]

    def get_many(self, index: str, ids: Sequence[str]) -> list[Stored | None]:
        """Return the current documents with these ids, None for each id without one."""
        entries = self._physical(index).entries
        return [_stored(entries.get(identity)) for identity in ids]

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        """Yield the id and version of every document, in one page."""
        entries = self._physical(index).entries
        yield [(identity, entry.version) for identity, entry in entries.items() if entry.source is not None]

    def count(self, index: str) -> int:
        """Return the number of documents."""
        return len(self.documents(index))

    def stats(self, index: str) -> IndexStats:
        """Return the number of documents; the size on disk is None."""
        return IndexStats(self.count(index), None)

    def processors(self, index: str) -> int | None:  # noqa: ARG002 - part of the interface
        """Return None: an in-memory cluster has no nodes."""
        return None

    def refresh(self, index: str) -> None:
        """Do nothing: writes are visible immediately."""
        self._physical(index)

    def create(self, index: str, body: Mapping[str, Any]) -> None:
        """Create an index.

        Args:
            index: Its name.
            body: Settings, mappings and aliases, as for OpenSearch.

        Raises:
            SearchError: An index or alias has this name.
        """
        if self.exists(index):
            raise SearchError("create index", index, "resource_already_exists_exception", status=400)
        self._indexes[index] = _PhysicalIndex(body)
        for alias in body.get("aliases", {}):
            self._aliases.setdefault(alias, set()).add(index)

    def delete(self, index: str) -> None:
        """Delete an index and take it off its aliases."""
        self._check_exists(index)
        del self._indexes[index]
        for names in self._aliases.values():
            names.discard(index)

    def exists(self, index: str) -> bool:
        """Return whether an index or alias has this name. Raises nothing."""
        return index in self._indexes or bool(self._aliases.get(index))

    def indexes_behind(self, alias: str) -> list[str]:
        """Return the sorted names of the indexes behind an alias, none when it does not exist. Raises nothing."""
        return sorted(self._aliases.get(alias, ()))

    def update_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None:
        """Apply ``add`` and ``remove`` actions, as OpenSearch defines them, atomically.

        Raises:
            SearchError: An index does not exist, or there is nothing to do but remove aliases that do not exist.
        """
        changed = {alias: set(names) for alias, names in self._aliases.items()}
        idle = True
        for action in actions:
            [(verb, target)] = action.items()
            self._check_exists(target["index"])
            names = changed.setdefault(target["alias"], set())
            # OpenSearch ignores the removal of an alias that does not exist, unless there is no other action.
            idle = idle and verb == "remove" and target["index"] not in names
            (names.add if verb == "add" else names.discard)(target["index"])
        if idle:
            raise SearchError("change alias", str(actions), "aliases_not_found_exception", status=404)
        self._aliases = changed

    def describe(self, index: str) -> Any:
        """Return the settings, mappings and aliases of an index, in the shape of OpenSearch's reply."""
        body = self._physical(index).body
        aliases: dict[str, Any] = {alias: {} for alias, names in self._aliases.items() if index in names}
        settings = {"index": dict(body.get("settings", {}).get("index", {}))}
        return {"settings": settings, "mappings": body.get("mappings", {}), "aliases": aliases}

    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None:
        """Change settings of an index: ``{"index": {NAME: VALUE}}``."""
        body = self._physical(index).body
        before = body.get("settings", {}).get("index", {})
        self._physical(index).body = {**body, "settings": {"index": {**before, **settings["index"]}}}

    def documents(self, index: str) -> dict[str, Any]:
        """Return every document of an index.

        Args:
            index: Name of an index, or of an alias of one index.

        Returns:
            The documents by id, as parsed JSON.

        Raises:
            SearchError: The index does not exist.
        """
        entries = self._physical(index).entries
        return {identity: entry.source for identity, entry in entries.items() if entry.source is not None}

    def _physical(self, name: str) -> _PhysicalIndex:
        behind = self.indexes_behind(name) or [name]
        self._check_exists(behind[0])
        return self._indexes[behind[0]]

    def _check_exists(self, index: str) -> None:
        if index not in self._indexes:
            raise SearchError("use index", index, f"index_not_found_exception: no such index [{index}]", status=404)

    def _write(self, name: str, verb: str, action: Mapping[str, Any], source: Any) -> dict[str, Any]:
        if name not in self._indexes:
            return _error(404, "index_not_found_exception", f"no such index [{name}]")
        index = self._indexes[name]
        identity = action["_id"]
        current = self._remembered(index, identity)
        version = _next_version(verb, action, current)
        if version is None:
            return _error(409, "version_conflict_engine_exception", f"[{identity}]: version conflict")
        rejection = None if source is None else _rejection(index.body.get("mappings", {}).get("properties", {}), source)
        if rejection:
            return _error(400, "mapper_parsing_exception", rejection)
        index.entries[identity] = _Entry(version, index.next_seq_no, source, self._clock.monotonic())
        index.next_seq_no += 1
        if verb == "delete":
            return {"status": 200 if current and current.source is not None else 404}
        return {"status": 200 if current and current.source is not None else 201}

    def _remembered(self, index: _PhysicalIndex, identity: str) -> _Entry | None:
        """Return the document or its tombstone, unless the tombstone is older than ``gc_deletes``."""
        entry = index.entries.get(identity)
        if entry and entry.source is None and self._clock.monotonic() - entry.deleted_at > index.gc_deletes_seconds:
            del index.entries[identity]
            return None
        return entry


def _stored(entry: _Entry | None) -> Stored | None:
    if entry is None or entry.source is None:
        return None
    return Stored(entry.version, entry.seq_no, _PRIMARY_TERM, entry.source)


def _next_version(verb: str, action: Mapping[str, Any], current: _Entry | None) -> int | None:
    """Return the version that a write gives its document, or None for a conflict."""
    alive = current if current and current.source is not None else None
    if "version" in action:
        version = int(action["version"])
        return version if current is None or version > current.version else None
    if "if_seq_no" in action and (
        alive is None or (alive.seq_no, _PRIMARY_TERM) != (action["if_seq_no"], action["if_primary_term"])
    ):
        return None
    if verb == "create" and alive:
        return None
    return current.version + 1 if current else 1


def _rejection(properties: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """Return why a mapping rejects this document; only the most common reasons are implemented."""
    for name, spec in properties.items():
        value, kind = source.get(name), spec.get("type", "object")
        if kind in ("text", "keyword") and isinstance(value, dict):
            return f"failed to parse field [{name}] of type [{kind}]"
        if kind in ("integer", "long") and isinstance(value, str) and not value.lstrip("-").isdecimal():
            return f"failed to parse field [{name}] of type [{kind}]"
    return None


def _error(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason}}
