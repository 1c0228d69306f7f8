"""An in-memory search cluster: versions, tombstones, sequence numbers and aliases as OpenSearch has them."""

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
    """A document, or (``source`` None) the tombstone of a deleted one."""

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
    """Stands in for ``dynadex.index.opensearch.OpenSearchIndex``: everything but searching.

    Time, for forgetting tombstones, comes from ``clock``. Writes are visible at once.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or ManualClock()
        self._indexes: dict[str, _PhysicalIndex] = {}
        self._aliases: dict[str, set[str]] = {}

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002
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
        entries = self._physical(index).entries
        found = [entries.get(identity) for identity in ids]
        return [
            Stored(one.version, one.seq_no, _PRIMARY_TERM, one.source) if one and one.source is not None else None
            for one in found
        ]

    def versions(self, index: str) -> Iterator[list[tuple[str, int]]]:
        entries = self._physical(index).entries
        yield [(identity, entry.version) for identity, entry in entries.items() if entry.source is not None]

    def count(self, index: str) -> int:
        return len(self.documents(index))

    def stats(self, index: str) -> IndexStats:
        """Nothing of it is on any disk."""
        return IndexStats(self.count(index), None)

    def processors(self, index: str) -> int | None:  # noqa: ARG002 - asked of every index alike
        """It has no nodes."""
        return None

    def refresh(self, index: str) -> None:
        self._physical(index)

    def create(self, index: str, body: Mapping[str, Any]) -> None:
        if self.exists(index):
            raise SearchError("create index", index, "resource_already_exists_exception", status=400)
        self._indexes[index] = _PhysicalIndex(body)
        for alias in body.get("aliases", {}):
            self._aliases.setdefault(alias, set()).add(index)

    def delete(self, index: str) -> None:
        self._check_exists(index)
        del self._indexes[index]
        for names in self._aliases.values():
            names.discard(index)

    def exists(self, index: str) -> bool:
        return index in self._indexes or bool(self._aliases.get(index))

    def indexes_behind(self, alias: str) -> list[str]:
        return sorted(self._aliases.get(alias, ()))

    def update_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None:
        changed = {alias: set(names) for alias, names in self._aliases.items()}
        idle = True
        for action in actions:
            [(verb, what)] = action.items()
            self._check_exists(what["index"])
            names = changed.setdefault(what["alias"], set())
            # OpenSearch forgives a remove of what is not there, unless it has nothing else to do.
            idle = idle and verb == "remove" and what["index"] not in names
            (names.add if verb == "add" else names.discard)(what["index"])
        if idle:
            raise SearchError("change alias", str(actions), "aliases_not_found_exception", status=404)
        self._aliases = changed

    def describe(self, index: str) -> Any:
        body = self._physical(index).body
        aliases: dict[str, Any] = {alias: {} for alias, names in self._aliases.items() if index in names}
        settings = {"index": dict(body.get("settings", {}).get("index", {}))}
        return {"settings": settings, "mappings": body.get("mappings", {}), "aliases": aliases}

    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None:
        body = self._physical(index).body
        before = body.get("settings", {}).get("index", {})
        self._physical(index).body = {**body, "settings": {"index": {**before, **settings["index"]}}}

    def documents(self, index: str) -> dict[str, Any]:
        """Every document by its id."""
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
        refusal = None if source is None else _refusal(index.body.get("mappings", {}).get("properties", {}), source)
        if refusal:
            return _error(400, "mapper_parsing_exception", refusal)
        index.entries[identity] = _Entry(version, index.next_seq_no, source, self._clock.monotonic())
        index.next_seq_no += 1
        if verb == "delete":
            return {"status": 200 if current and current.source is not None else 404}
        return {"status": 200 if current and current.source is not None else 201}

    def _remembered(self, index: _PhysicalIndex, identity: str) -> _Entry | None:
        """The document or its tombstone, unless the tombstone is older than gc_deletes."""
        entry = index.entries.get(identity)
        if entry and entry.source is None and self._clock.monotonic() - entry.deleted_at > index.gc_deletes_seconds:
            del index.entries[identity]
            return None
        return entry


def _next_version(verb: str, action: Mapping[str, Any], current: _Entry | None) -> int | None:
    """The version that a write gives its document, or None for a conflict."""
    alive = current if current and current.source is not None else None
    if "version" in action:
        wanted = int(action["version"])
        return wanted if current is None or wanted > current.version else None
    if "if_seq_no" in action and (
        alive is None or (alive.seq_no, _PRIMARY_TERM) != (action["if_seq_no"], action["if_primary_term"])
    ):
        return None
    if verb == "create" and alive:
        return None
    return current.version + 1 if current else 1


def _refusal(properties: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """Why a mapping would refuse this document; only the most common reasons are known here."""
    for name, spec in properties.items():
        found, kind = source.get(name), spec.get("type", "object")
        if kind in ("text", "keyword") and isinstance(found, dict):
            return f"failed to parse field [{name}] of type [{kind}]"
        if kind in ("integer", "long") and isinstance(found, str) and not found.lstrip("-").isdecimal():
            return f"failed to parse field [{name}] of type [{kind}]"
    return None


def _error(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason}}
