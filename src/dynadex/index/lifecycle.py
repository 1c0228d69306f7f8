"""Lifecycle of the physical indexes of one name: rebuild, promotion, rollback and retirement.

Aliases alone give an index its role, so that every step is one atomic change of aliases and needs no other state:

| | read alias | sync alias | building alias |
|---|---|---|---|
| index that searches use | yes | yes | |
| index that a rebuild fills | | yes | yes |
| index kept for rollback | | yes | |

A fourth alias, ``-unfilled``, marks a first index whose table held items before it, until a refill has loaded them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from dynadex.clock import Clock
from dynadex.errors import SearchError
from dynadex.index.aliases import (
    IndexAdmin,
    building_alias,
    creation_body,
    physical_name,
    searched_index,
    sync_alias,
    unfilled_alias,
)

_OWNER = "dynadex_rebuild"
# While an index is filled it is not searched, so that one copy without refreshes is enough.
_WHILE_BUILDING: dict[str, Any] = {"refresh_interval": "-1", "number_of_replicas": 0}


class LifecycleAdmin(IndexAdmin, Protocol):
    """Operations of the search cluster that manage indexes."""

    def update_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None: ...
    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None: ...
    def refresh(self, index: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PhysicalIndex:
    """A physical index, with the time of its creation and its role."""

    name: str
    created_at: datetime
    searched: bool
    written: bool
    building: bool
    unfilled: bool = False

    @property
    def role(self) -> str:
        """Name of the role, for display."""
        if self.searched:
            if self.unfilled:
                return "searched, not filled yet"
            return "searched" if self.written else "searched, not written"
        return "being built" if self.building else "kept for rollback"


def physical_indexes(admin: IndexAdmin, index: str) -> list[PhysicalIndex]:
    """Return every physical index of this name, oldest first. Raises SearchError."""
    searched = admin.indexes_behind(index)
    written = admin.indexes_behind(sync_alias(index))
    building = admin.indexes_behind(building_alias(index))
    unfilled = admin.indexes_behind(unfilled_alias(index))
    return [
        PhysicalIndex(
            name, _created_at(admin, name), name in searched, name in written, name in building, name in unfilled
        )
        for name in sorted({*searched, *written, *building})
    ]


def begin_building(
    admin: IndexAdmin,
    index: str,
    mappings: Mapping[str, Any],
    settings: Mapping[str, Any],
    owner: str,
    clock: Clock,
) -> str:
    """Create an index that writers write to from now on and that is not searched, and return its name.

    If ``owner`` has already begun an index, its name is returned. Raises SearchError when no index exists to
    rebuild, or another rebuild is not finished.
    """
    begun = find_building(admin, index, owner)
    if begun:
        return begun
    name = physical_name(index, clock)
    while admin.exists(name):
        # A name contains a time in seconds, and an index of the current second exists.
        clock.sleep(0.2)
        name = physical_name(index, clock)
    body = creation_body(
        index,
        {**mappings, "_meta": {**mappings.get("_meta", {}), _OWNER: owner}},
        {**settings, **_WHILE_BUILDING},
    )
    admin.create(name, {**body, "aliases": {sync_alias(index): {}, building_alias(index): {}}})
    return name


def find_building(admin: IndexAdmin, index: str, owner: str) -> str | None:
    """Return the index that ``owner`` has begun to build, or None. Raises as ``begin_building`` does."""
    searched_index(admin, index)
    for name in admin.indexes_behind(building_alias(index)):
        if admin.describe(name)["mappings"].get("_meta", {}).get(_OWNER) == owner:
            return name
        raise SearchError(
            "rebuild index", index, f"another rebuild, running or abandoned, fills index {name}",
            "Resume it with `dynadex rebuild --resume`, or delete its index with "
            f"`dynadex retire MODULE:ATTRIBUTE {name}`.",
        )  # fmt: skip
    return None


def end_building(admin: LifecycleAdmin, name: str, settings: Mapping[str, Any]) -> None:
    """Give a filled index its declared refresh interval and replicas, and make its documents visible to searches."""
    admin.put_settings(name, {"index": {key: settings.get(key) for key in _WHILE_BUILDING}})
    admin.refresh(name)


def mark_filled(admin: LifecycleAdmin, index: str, names: Sequence[str]) -> None:
    """Record that a refill has loaded every item into these indexes. Raises SearchError."""
    alias = unfilled_alias(index)
    filled = [name for name in admin.indexes_behind(alias) if name in names]
    if filled:
        admin.update_aliases([{"remove": {"index": name, "alias": alias}} for name in filled])


def promote_index(admin: LifecycleAdmin, index: str, name: str) -> Sequence[str]:
    """Point searches to ``name`` in one atomic step, and return the indexes that they used before."""
    before = [old for old in admin.indexes_behind(index) if old != name]
    actions = [{"remove": {"index": old, "alias": index}} for old in before]
    actions.append({"add": {"index": name, "alias": index}})
    if name in admin.indexes_behind(building_alias(index)):
        actions.append({"remove": {"index": name, "alias": building_alias(index)}})
    admin.update_aliases(actions)
    return before


def roll_back(admin: LifecycleAdmin, index: str, to: str | None = None) -> tuple[str, str]:
    """Point searches to an index that is kept for rollback, and return the index they used and the one they use now.

    ``to`` names the index; by default it is the newest one kept. It receives every change, so it is as
    current as the index it replaces. Raises SearchError when there is none.
    """
    current = searched_index(admin, index)
    targets = [
        physical.name
        for physical in physical_indexes(admin, index)
        if physical.written and not (physical.searched or physical.building)
    ]
    if to is not None and to not in targets:
        hint = f"Indexes kept for rollback: {', '.join(targets)}." if targets else "No index is kept for rollback."
        raise SearchError("roll back to", to, "it is not an index kept for rollback", hint)
    if not targets:
        raise SearchError(
            "roll back", index, "no other index is kept for rollback",
            "`dynadex rebuild` keeps the index that it replaces until that is retired.",
        )  # fmt: skip
    target = to or targets[-1]
    promote_index(admin, index, target)
    return current, target


def retirable(admin: IndexAdmin, index: str, names: Sequence[str]) -> list[str]:
    """Return the named indexes, by default all kept for rollback. Raises SearchError for one that cannot be deleted."""
    existing = {physical.name: physical for physical in physical_indexes(admin, index)}
    if not names:
        return [name for name, physical in existing.items() if not (physical.searched or physical.building)]
    for name in names:
        if name not in existing:
            raise SearchError(
                "retire", name, f"it is not an index of {index}", f"Indexes of {index}: {', '.join(existing)}."
            )
        if existing[name].searched:
            raise SearchError("retire", name, "searches use it", "Roll back or rebuild first.")
    return list(names)


def retire(admin: LifecycleAdmin, index: str, name: str) -> None:
    """Take an index off the aliases that writers use, then delete it."""
    aliases = [alias for alias in (sync_alias(index), building_alias(index)) if name in admin.indexes_behind(alias)]
    if aliases:
        admin.update_aliases([{"remove": {"index": name, "alias": alias}} for alias in aliases])
    admin.delete(name)


def _created_at(admin: IndexAdmin, name: str) -> datetime:
    settings = admin.describe(name)["settings"]["index"]
    return datetime.fromtimestamp(int(settings.get("creation_date", 0)) / 1000, UTC)
