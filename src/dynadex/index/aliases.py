"""Physical indexes and their aliases.

| name | meaning |
|---|---|
| ``lessons-20261124054500`` | physical index, named after the UTC second of its creation |
| ``lessons`` | read alias, which searches use |
| ``lessons-sync`` | sync alias: writers write to every index behind it |
| ``lessons-building`` | set on an index that a rebuild fills, until it is promoted |
| ``lessons-unfilled`` | set on an index created empty for a table with items, until a refill has loaded them |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from dynadex.clock import Clock
from dynadex.errors import SearchError
from dynadex.retry import Backoff

# Writers notice a new index within this time; a rebuild waits that long before it scans.
RESOLVE_SECONDS = 10.0
# Tombstones must outlive every late writer, which could otherwise restore the document of a deleted item.
GC_DELETES = "15m"
_YIELD = Backoff(first_seconds=0.5)


class IndexAdmin(Protocol):
    """Operations of the search cluster that create and describe indexes."""

    def exists(self, index: str) -> bool: ...
    def create(self, index: str, body: Mapping[str, Any]) -> None: ...
    def delete(self, index: str) -> None: ...
    def describe(self, index: str) -> Any: ...
    def indexes_behind(self, alias: str) -> list[str]: ...


def sync_alias(index: str) -> str:
    """Return the alias through which an index is written."""
    return f"{index}-sync"


def building_alias(index: str) -> str:
    """Return the alias of the index that a rebuild fills."""
    return f"{index}-building"


def unfilled_alias(index: str) -> str:
    """Return the alias of an index that lacks the items older than it, until a refill has loaded them."""
    return f"{index}-unfilled"


class Aliases(Protocol):
    """Operations of the search cluster that resolve aliases."""

    def indexes_behind(self, alias: str) -> list[str]: ...


def is_unfilled(admin: Aliases, index: str) -> bool:
    """Return whether searches use an index that awaits its first refill. Raises SearchError."""
    unfilled = admin.indexes_behind(unfilled_alias(index))
    return bool(unfilled) and bool({*unfilled}.intersection(admin.indexes_behind(index)))


def searched_index(admin: IndexAdmin, index: str) -> str:
    """Return the physical index that searches use. Raises SearchError (404) when there is none."""
    names = admin.indexes_behind(index)
    if not names:
        raise SearchError(
            "find the index behind alias", index, "the alias does not exist", "Create it with `dynadex refill`.",
            status=404,
        )  # fmt: skip
    return names[-1]


def physical_name(index: str, clock: Clock) -> str:
    """Return a name for a physical index that is created now."""
    return f"{index}-{datetime.fromtimestamp(clock.now_us() / 1e6, UTC):%Y%m%d%H%M%S}"


class SyncAlias:
    """The physical indexes behind a sync alias, resolved at most every RESOLVE_SECONDS."""

    def __init__(self, admin: IndexAdmin, index: str, clock: Clock) -> None:
        self._admin = admin
        self._index = index
        self._clock = clock
        self._names: Sequence[str] = ()
        self._resolved_at = float("-inf")

    def current(self) -> Sequence[str]:
        """Return the names of the indexes to write to. Raises SearchError when there is none."""
        now = self._clock.monotonic()
        if now - self._resolved_at >= RESOLVE_SECONDS:
            self._names = self._admin.indexes_behind(sync_alias(self._index))
            self._resolved_at = now
        if not self._names:
            self._resolved_at = float("-inf")
            raise SearchError(
                "write to", sync_alias(self._index), "there is no index behind this alias",
                "Create one with `dynadex refill`.", status=404,
            )  # fmt: skip
        return self._names

    def resolve(self) -> Sequence[str]:
        """Resolve the alias again, then return the same as ``current``."""
        self._resolved_at = float("-inf")
        return self.current()

    def retired(self, index: str) -> bool:
        """Return whether an index is no longer behind the alias, so that nothing more is written to it."""
        return index not in self.resolve()


def ensure_index(
    admin: IndexAdmin,
    index: str,
    mappings: Mapping[str, Any],
    settings: Mapping[str, Any],
    clock: Clock,
    has_items: Callable[[], bool] = lambda: False,
) -> tuple[str, bool]:
    """Return the newest index behind the sync alias that matches the declaration, and whether it was created now.

    If there is no index at all, one is created with both aliases. ``has_items``, called before that, returns whether
    the new index awaits a refill. One matching index is enough: while a mapping changes, writers write to an index of
    the old mapping and one of the new.

    Raises SearchError when another index or alias has the name, or every existing index contradicts the declaration.
    """
    existing = admin.indexes_behind(sync_alias(index))
    if existing:
        checked = [(name, list(differences(mappings, settings, admin.describe(name)))) for name in reversed(existing)]
        matching = [name for name, contradictions in checked if not contradictions]
        if matching:
            return matching[0], False
        newest, contradictions = checked[0]
        raise SearchError(
            "write to index", newest, "it contradicts the declaration: " + "; ".join(contradictions),
            "Revert the declaration, or create an index that matches it with `dynadex rebuild`.",
        )  # fmt: skip
    if admin.exists(index):
        if admin.indexes_behind(sync_alias(index)):
            # Another process has created it since the alias was resolved.
            return ensure_index(admin, index, mappings, settings, clock, has_items)
        raise SearchError(
            "create the alias", index, "an index or alias that dynadex did not create already has this name",
            "Rename or delete it, or declare another index name.",
        )  # fmt: skip
    name = physical_name(index, clock)
    body = creation_body(index, mappings, settings)
    if has_items():
        body["aliases"][unfilled_alias(index)] = {}
    try:
        admin.create(name, body)
    except SearchError:
        # Another process may have chosen the same name, in the same second.
        if not admin.exists(name):
            raise
    else:
        if admin.indexes_behind(sync_alias(index)) == [name]:
            return name, True
        # Another process created an index at the same time, and may have seen only its own: names show when they were
        # chosen, not what the other process has seen. So a process that sees both deletes its own, and tries again.
        admin.delete(name)
    clock.sleep(_YIELD.pause(1))
    return ensure_index(admin, index, mappings, settings, clock, has_items)


def creation_body(index: str, mappings: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of a create-index call: the declaration, the lifetime of tombstones, and both aliases."""
    return {
        "settings": {"index": {"gc_deletes": GC_DELETES, **settings}},
        "mappings": dict(mappings),
        "aliases": {index: {}, sync_alias(index): {}},
    }


def differences(mappings: Mapping[str, Any], settings: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Yield each contradiction between a live index and a declaration. Only declared values are compared."""
    live_mappings = live.get("mappings", {})
    yield from _field_differences(mappings.get("properties", {}), live_mappings.get("properties", {}), "")
    declared_dynamic = mappings.get("dynamic")
    if declared_dynamic is not None and _text(declared_dynamic) != _text(live_mappings.get("dynamic", "true")):
        yield f"dynamic is {_text(live_mappings.get('dynamic', 'true'))}, declared {_text(declared_dynamic)}"
    live_analysis = live.get("settings", {}).get("index", {}).get("analysis", {})
    live_settings = dict(_leaves(live_analysis, "analysis"))
    for path, declared in _leaves(settings.get("analysis", {}), "analysis"):
        if live_settings.get(path) != declared:
            yield f"setting {path} is {live_settings.get(path)}, declared {declared}"


def _field_differences(declared: Mapping[str, Any], live: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, spec in declared.items():
        path = prefix + name
        if name not in live:
            yield f"field {path} is declared, but not mapped"
            continue
        field = live[name]
        for key, value in spec.items():
            if key in ("properties", "fields"):
                yield from _field_differences(value, field.get(key, {}), f"{path}.")
            elif _contradicts(value, field.get(key, _default(key, field))):
                yield f"field {path} has {key} {_text(field.get(key, 'unset'))}, declared {_text(value)}"


# OpenSearch does not repeat parameters that have their default value.
_DEFAULTS: dict[str, Any] = {
    "boost": 1, "coerce": True, "doc_values": True, "eager_global_ordinals": False, "enabled": True,
    "fielddata": False, "format": "strict_date_optional_time||epoch_millis", "ignore_above": 2**31 - 1,
    "ignore_malformed": False, "include_in_parent": False, "include_in_root": False, "index": True,
    "index_options": "positions", "index_phrases": False, "normalizer": "default", "norms": True,
    "positive_score_impact": True, "split_queries_on_whitespace": False, "store": False, "term_vector": "no",
    "type": "object",
}  # fmt: skip
_DEFAULTS_OF_TYPE: dict[tuple[str, str], Any] = {
    ("binary", "doc_values"): False,
    ("keyword", "index_options"): "docs",
    ("keyword", "norms"): False,
}


def _default(key: str, field: Mapping[str, Any]) -> Any:
    if key in ("search_analyzer", "search_quote_analyzer"):
        return field.get("search_analyzer", field.get("analyzer", "default"))
    return _DEFAULTS_OF_TYPE.get((field.get("type", "object"), key), _DEFAULTS.get(key))


def _contradicts(declared: Any, live: Any) -> bool:
    if isinstance(declared, Mapping):
        live_leaves = dict(_leaves(live or {}, ""))
        return any(live_leaves.get(path) != value for path, value in _leaves(declared, ""))
    return _text(declared) != _text(live)


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Mapping):
        for name, branch in tree.items():
            yield from _leaves(branch, f"{path}.{name}")
    else:
        yield path, _text(tree)


def _text(value: Any) -> str:
    """Return a setting in canonical form: OpenSearch returns text, 100.0 for 100, and a list for a single value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value).removesuffix(".0")
