"""The physical indexes behind one name, oldest first, and what a rebuild, a rollback and a retirement do to them.

Which is which is told by aliases alone, so that every step is one atomic change of them, and nothing else is kept:

| | read alias | sync alias | building alias |
|---|---|---|---|
| the one that searches use | yes | yes | |
| one that a rebuild fills | | yes | yes |
| one kept for rollback | | yes | |

A fourth one, ``-unfilled``, says of the first index that a refill has still to bring the items older than it.
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
    reading,
    sync_alias,
    unfilled_alias,
)

_OWNER = "dynadex_rebuild"
# While an index is being filled, nobody searches it, and one copy is enough.
_WHILE_BUILDING: dict[str, Any] = {"refresh_interval": "-1", "number_of_replicas": 0}


class LifecycleAdmin(IndexAdmin, Protocol):
    """What this needs of a search cluster, besides creating and describing indexes."""

    def update_aliases(self, actions: Sequence[Mapping[str, Any]]) -> None: ...
    def put_settings(self, index: str, settings: Mapping[str, Any]) -> None: ...
    def refresh(self, index: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PhysicalIndex:
    """One physical index: when it was created, and what it is for."""

    name: str
    created_at: datetime
    searched: bool
    written: bool
    building: bool
    unfilled: bool = False

    @property
    def role(self) -> str:
        """In words."""
        if self.searched:
            if self.unfilled:
                return "searched, not filled yet"
            return "searched" if self.written else "searched, not written"
        return "being built" if self.building else "kept for rollback"


def physical_indexes(admin: IndexAdmin, index: str) -> list[PhysicalIndex]:
    """Every physical index of this name, oldest first. Raises SearchError."""
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
    """Create an index that writers write to from now on and nobody searches; the one ``owner`` began, if it did.

    Raises SearchError when there is nothing to rebuild, or another rebuild is not finished.
    """
    begun = find_building(admin, index, owner)
    if begun:
        return begun
    name = physical_name(index, clock)
    while admin.exists(name):
        # Two indexes of one second: the name has no room for a second one.
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
    """The index that ``owner`` began to build, if it did. Raises as ``begin_building`` does."""
    reading(admin, index)
    for name in admin.indexes_behind(building_alias(index)):
        if admin.describe(name)["mappings"].get("_meta", {}).get(_OWNER) == owner:
            return name
        raise SearchError(
            "rebuild index", index, f"another rebuild is under way, or was given up: it fills {name}",
            f"Go on with it (`dynadex rebuild --resume`), or remove it (`dynadex retire MODULE:ATTRIBUTE {name}`).",
        )  # fmt: skip
    return None


def end_building(admin: LifecycleAdmin, name: str, settings: Mapping[str, Any]) -> None:
    """Give a filled index the refresh interval and replicas that are declared, and make it searchable."""
    admin.put_settings(name, {"index": {key: settings.get(key) for key in _WHILE_BUILDING}})
    admin.refresh(name)


def mark_filled(admin: LifecycleAdmin, index: str, names: Sequence[str]) -> None:
    """A refill has brought every item to these indexes. Raises SearchError."""
    alias = unfilled_alias(index)
    filled = [name for name in admin.indexes_behind(alias) if name in names]
    if filled:
        admin.update_aliases([{"remove": {"index": name, "alias": alias}} for name in filled])


def swap(admin: LifecycleAdmin, index: str, name: str) -> Sequence[str]:
    """Let searches use ``name``, from one moment to the next; those they used until then."""
    before = [old for old in admin.indexes_behind(index) if old != name]
    actions = [{"remove": {"index": old, "alias": index}} for old in before]
    actions.append({"add": {"index": name, "alias": index}})
    if name in admin.indexes_behind(building_alias(index)):
        actions.append({"remove": {"index": name, "alias": building_alias(index)}})
    admin.update_aliases(actions)
    return before


def roll_back(admin: LifecycleAdmin, index: str, to: str | None = None) -> tuple[str, str]:
    """Let searches use another index that is kept: ``to``, or the newest other one; from which, to which.

    It was written all the time, so it is as fresh as the one left. Raises SearchError when there is none.
    """
    current = reading(admin, index)
    kept = [one.name for one in physical_indexes(admin, index) if one.written and not (one.searched or one.building)]
    if to is not None and to not in kept:
        there = f"Kept are: {', '.join(kept)}." if kept else "None is kept."
        raise SearchError("roll back to", to, "it is not one of the indexes kept for rollback", there)
    if not kept:
        raise SearchError(
            "roll back", index, "no other index is kept", "One is kept from each `dynadex rebuild` until it is retired."
        )
    target = to or kept[-1]
    swap(admin, index, target)
    return current, target


def retirable(admin: IndexAdmin, index: str, names: Sequence[str]) -> list[str]:
    """The named indexes, by default every one kept for rollback. Raises SearchError for one that cannot be removed."""
    found = {one.name: one for one in physical_indexes(admin, index)}
    if not names:
        return [one.name for one in found.values() if not (one.searched or one.building)]
    for name in names:
        if name not in found:
            raise SearchError("retire", name, f"it is no index of {index}", f"There are: {', '.join(found)}.")
        if found[name].searched:
            raise SearchError("retire", name, "searches use it", "Roll back or rebuild first.")
    return list(names)


def retire(admin: LifecycleAdmin, index: str, name: str) -> None:
    """Delete an index that searches do not use, once writers have been told to leave it."""
    aliases = [alias for alias in (sync_alias(index), building_alias(index)) if name in admin.indexes_behind(alias)]
    if aliases:
        admin.update_aliases([{"remove": {"index": name, "alias": alias}} for alias in aliases])
    admin.delete(name)


def _created_at(admin: IndexAdmin, name: str) -> datetime:
    settings = admin.describe(name)["settings"]["index"]
    return datetime.fromtimestamp(int(settings.get("creation_date", 0)) / 1000, UTC)
