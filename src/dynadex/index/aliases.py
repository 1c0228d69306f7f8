"""Physical indexes and the aliases before them.

| name | what it is |
|---|---|
| ``lessons-20261124054500`` | a physical index, named after the UTC second it was created in |
| ``lessons`` | read alias: searches use it |
| ``lessons-sync`` | sync alias: writers write to every index behind it |
| ``lessons-building`` | on an index that a rebuild fills, until searches use it |
| ``lessons-unfilled`` | on an index created empty for a table that held items, until a refill has filled it |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from dynadex.clock import Clock
from dynadex.errors import SearchError
from dynadex.retry import Backoff

# Writers learn of a new index this late at most; a rebuild waits for it before it scans.
RESOLVE_SECONDS = 10.0
# Deletes must be remembered longer than any late writer lives, or it would bring deleted items back.
GC_DELETES = "15m"
_GIVE_WAY = Backoff(first_seconds=0.5)


class IndexAdmin(Protocol):
    """What index administration needs of a search cluster."""

    def exists(self, index: str) -> bool: ...
    def create(self, index: str, body: Mapping[str, Any]) -> None: ...
    def delete(self, index: str) -> None: ...
    def describe(self, index: str) -> Any: ...
    def indexes_behind(self, alias: str) -> list[str]: ...


def sync_alias(index: str) -> str:
    """The alias that writers of an index use."""
    return f"{index}-sync"


def building_alias(index: str) -> str:
    """The alias of the index that a rebuild fills."""
    return f"{index}-building"


def unfilled_alias(index: str) -> str:
    """The alias of an index that lacks the items that were there before it, until a refill has brought them."""
    return f"{index}-unfilled"


class Aliases(Protocol):
    """Where aliases are looked up."""

    def indexes_behind(self, alias: str) -> list[str]: ...


def is_unfilled(admin: Aliases, index: str) -> bool:
    """Whether searches use an index that awaits its first refill. Raises SearchError."""
    unfilled = admin.indexes_behind(unfilled_alias(index))
    return bool(unfilled) and bool({*unfilled}.intersection(admin.indexes_behind(index)))


def reading(admin: IndexAdmin, index: str) -> str:
    """The physical index that searches use. Raises SearchError (404) when there is none."""
    found = admin.indexes_behind(index)
    if not found:
        raise SearchError(
            "find the index behind alias", index, "there is none", "Create it with `dynadex refill`.", status=404
        )
    return found[-1]


def physical_name(index: str, clock: Clock) -> str:
    """A name for a new physical index."""
    return f"{index}-{datetime.fromtimestamp(clock.now_us() / 1e6, UTC):%Y%m%d%H%M%S}"


class SyncAlias:
    """The physical indexes behind a sync alias, looked up at most every RESOLVE_SECONDS."""

    def __init__(self, admin: IndexAdmin, index: str, clock: Clock) -> None:
        self._admin = admin
        self._index = index
        self._clock = clock
        self._names: Sequence[str] = ()
        self._looked_up_at = float("-inf")

    def current(self) -> Sequence[str]:
        """Names of the indexes to write to. Raises SearchError when there is none."""
        now = self._clock.monotonic()
        if now - self._looked_up_at >= RESOLVE_SECONDS:
            self._names = self._admin.indexes_behind(sync_alias(self._index))
            self._looked_up_at = now
        if not self._names:
            self._looked_up_at = float("-inf")
            raise SearchError(
                "write to", sync_alias(self._index), "no index stands behind this alias",
                "Create one with `dynadex refill`.", status=404,
            )  # fmt: skip
        return self._names

    def now(self) -> Sequence[str]:
        """As ``current``, looked up anew."""
        self._looked_up_at = float("-inf")
        return self.current()

    def retired(self, index: str) -> bool:
        """Whether an index that was to be written is no longer behind the alias: it needs nothing any more."""
        return index not in self.now()


def ensure_index(
    admin: IndexAdmin,
    index: str,
    mappings: Mapping[str, Any],
    settings: Mapping[str, Any],
    clock: Clock,
    has_items: Callable[[], bool] = lambda: False,
) -> tuple[str, bool]:
    """The newest index behind the sync alias that is as declared, created with both aliases if there is no index at
    all; and whether it was. ``has_items``, asked before it is created, says whether it then awaits a refill.

    Raises SearchError when something else has the name, or when every existing index contradicts the declaration.
    That one is as declared is enough: while a mapping changes, one of the old and one of the new are written.
    """
    existing = admin.indexes_behind(sync_alias(index))
    if existing:
        found = [(name, list(differences(mappings, settings, admin.describe(name)))) for name in reversed(existing)]
        declared = [name for name, contradictions in found if not contradictions]
        if declared:
            return declared[0], False
        newest, contradictions = found[0]
        raise SearchError(
            "write to index", newest, "it contradicts the declaration: " + "; ".join(contradictions),
            "Change the declaration back, or build an index as declared with `dynadex rebuild`.",
        )  # fmt: skip
    if admin.exists(index):
        if admin.indexes_behind(sync_alias(index)):
            # Another process has created it since we looked.
            return ensure_index(admin, index, mappings, settings, clock, has_items)
        raise SearchError(
            "create the alias", index, "an index or alias that dynadex did not make already has this name",
            "Rename or delete it, or declare another index name.",
        )  # fmt: skip
    name = physical_name(index, clock)
    body = creation_body(index, mappings, settings)
    if has_items():
        body["aliases"][unfilled_alias(index)] = {}
    try:
        admin.create(name, body)
    except SearchError:
        # Another process may have had the same name in mind, in the same second.
        if not admin.exists(name):
            raise
    else:
        if admin.indexes_behind(sync_alias(index)) == [name]:
            return name, True
        # Another process created one at the same time, and may have seen its own alone: names tell when they were
        # thought of, not what the other one has seen. So whoever sees both gives way, and looks again.
        admin.delete(name)
    clock.sleep(_GIVE_WAY.pause(1))
    return ensure_index(admin, index, mappings, settings, clock, has_items)


def creation_body(index: str, mappings: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Body of a create-index call: the declaration, tombstones that live long enough, both aliases."""
    return {
        "settings": {"index": {"gc_deletes": GC_DELETES, **settings}},
        "mappings": dict(mappings),
        "aliases": {index: {}, sync_alias(index): {}},
    }


def differences(mappings: Mapping[str, Any], settings: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """How a live index contradicts a declaration, one line each. What is declared nowhere contradicts nothing."""
    live_mappings = live.get("mappings", {})
    yield from _field_differences(mappings.get("properties", {}), live_mappings.get("properties", {}), "")
    declared_dynamic = mappings.get("dynamic")
    if declared_dynamic is not None and _text(declared_dynamic) != _text(live_mappings.get("dynamic", "true")):
        yield f"dynamic is {_text(live_mappings.get('dynamic', 'true'))}, declared {_text(declared_dynamic)}"
    live_analysis = live.get("settings", {}).get("index", {}).get("analysis", {})
    for path, declared in _leaves(settings.get("analysis", {}), "analysis"):
        found = dict(_leaves(live_analysis, "analysis")).get(path)
        if found != declared:
            yield f"setting {path} is {found}, declared {declared}"


def _field_differences(declared: Mapping[str, Any], live: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, spec in declared.items():
        path = prefix + name
        if name not in live:
            yield f"field {path} is declared, but not mapped"
            continue
        found = live[name]
        for key, value in spec.items():
            if key in ("properties", "fields"):
                yield from _field_differences(value, found.get(key, {}), f"{path}.")
            elif _contradicts(value, found.get(key, _default(key, found))):
                yield f"field {path} has {key} {_text(found.get(key, 'unset'))}, declared {_text(value)}"


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


def _default(key: str, found: Mapping[str, Any]) -> Any:
    if key in ("search_analyzer", "search_quote_analyzer"):
        return found.get("search_analyzer", found.get("analyzer", "default"))
    return _DEFAULTS_OF_TYPE.get((found.get("type", "object"), key), _DEFAULTS.get(key))


def _contradicts(declared: Any, live: Any) -> bool:
    if isinstance(declared, Mapping):
        found = dict(_leaves(live or {}, ""))
        return any(found.get(path) != value for path, value in _leaves(declared, ""))
    return _text(declared) != _text(live)


def _leaves(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Mapping):
        for name, branch in tree.items():
            yield from _leaves(branch, f"{path}.{name}")
    else:
        yield path, _text(tree)


def _text(value: Any) -> str:
    """A setting in one spelling: OpenSearch answers with text, whole numbers as 100.0, one value as a list of one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value).removesuffix(".0")
