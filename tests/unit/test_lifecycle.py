"""Rebuild, promotion, rollback and retirement of indexes."""

from __future__ import annotations

import pytest

from dynadex.errors import SearchError
from dynadex.index.aliases import ensure_index, searched_index
from dynadex.index.lifecycle import (
    begin_building,
    end_building,
    physical_indexes,
    promote_index,
    retirable,
    retire,
    roll_back,
)
from dynadex.testing import InMemoryIndex, ManualClock

AT_US = 1_795_499_100_000_000  # 2026-11-24 05:45:00 UTC
FIRST, SECOND, THIRD = (f"songs-2026112405450{second}" for second in range(3))
TITLE = {"properties": {"title": {"type": "text"}}}


class Songs:
    """A cluster with one index, and a clock."""

    def __init__(self) -> None:
        self.clock = ManualClock(AT_US)
        self.cluster = InMemoryIndex(self.clock)
        ensure_index(self.cluster, "songs", TITLE, {}, self.clock)

    def begin(self, owner: str = "me") -> str:
        return begin_building(self.cluster, "songs", TITLE, {}, owner, self.clock)

    def rebuild(self, owner: str) -> str:
        self.clock.advance(1)
        name = self.begin(owner)
        end_building(self.cluster, name, {})
        promote_index(self.cluster, "songs", name)
        return name

    def roles(self) -> dict[str, str]:
        return {physical.name: physical.role for physical in physical_indexes(self.cluster, "songs")}


@pytest.fixture
def songs() -> Songs:
    return Songs()


def test_new_index_is_written_but_not_searched(songs: Songs) -> None:
    songs.clock.advance(1)
    assert songs.begin() == SECOND
    assert songs.roles() == {FIRST: "searched", SECOND: "being built"}
    assert songs.cluster.indexes_behind("songs-sync") == [FIRST, SECOND]
    assert songs.cluster.describe(SECOND)["settings"]["index"]["refresh_interval"] == "-1"
    assert songs.cluster.describe(SECOND)["settings"]["index"]["gc_deletes"] == "15m"


def test_two_indexes_of_one_second_get_different_names(songs: Songs) -> None:
    assert songs.begin() == SECOND
    assert songs.clock.now_us() >= AT_US + 1_000_000


def test_rebuild_is_resumed_by_its_owner_and_rejected_to_others(songs: Songs) -> None:
    name = songs.begin("me")
    assert songs.begin("me") == name
    with pytest.raises(SearchError, match=rf"another rebuild.*{name}.*--resume.*retire") as caught:
        songs.begin("you")
    assert caught.value.subject == "songs"
    retire(songs.cluster, "songs", name)
    assert songs.begin("you") != ""


def test_rebuild_without_an_index_is_rejected() -> None:
    clock = ManualClock(AT_US)
    with pytest.raises(SearchError, match=r"does not exist.*dynadex refill"):
        begin_building(InMemoryIndex(clock), "songs", TITLE, {}, "me", clock)


def test_filled_index_gets_its_declared_settings(songs: Songs) -> None:
    name = songs.begin()
    end_building(songs.cluster, name, {"refresh_interval": "5s", "number_of_replicas": 2})
    settings = songs.cluster.describe(name)["settings"]["index"]
    assert (settings["refresh_interval"], settings["number_of_replicas"]) == ("5s", 2)


def test_promoted_index_is_searched_and_the_old_one_is_kept_and_written(songs: Songs) -> None:
    name = songs.begin()
    assert promote_index(songs.cluster, "songs", name) == [FIRST]
    assert searched_index(songs.cluster, "songs") == name
    assert songs.roles() == {FIRST: "kept for rollback", name: "searched"}
    assert songs.cluster.indexes_behind("songs-sync") == [FIRST, name]
    # A caller that does not know whether the promotion succeeded repeats it.
    assert promote_index(songs.cluster, "songs", name) == []
    assert songs.roles() == {FIRST: "kept for rollback", name: "searched"}


def test_rollback_alternates_or_goes_to_the_named_index(songs: Songs) -> None:
    assert [songs.rebuild("a"), songs.rebuild("b")] == [SECOND, THIRD]
    assert roll_back(songs.cluster, "songs") == (THIRD, SECOND)
    assert roll_back(songs.cluster, "songs") == (SECOND, THIRD)
    assert roll_back(songs.cluster, "songs", FIRST) == (THIRD, FIRST)
    with pytest.raises(SearchError, match=rf"songs-1.*not an index kept.*{SECOND}, {THIRD}"):
        roll_back(songs.cluster, "songs", "songs-1")


def test_rollback_to_an_index_being_built_is_rejected(songs: Songs) -> None:
    name = songs.begin()
    with pytest.raises(SearchError, match="no other index is kept"):
        roll_back(songs.cluster, "songs")
    with pytest.raises(SearchError, match="not an index kept"):
        roll_back(songs.cluster, "songs", name)


def test_only_indexes_not_in_use_can_be_retired(songs: Songs) -> None:
    songs.rebuild("a")
    songs.clock.advance(1)
    unfinished = songs.begin("b")
    assert retirable(songs.cluster, "songs", []) == [FIRST]
    assert retirable(songs.cluster, "songs", [unfinished]) == [unfinished]
    with pytest.raises(SearchError, match="searches use it"):
        retirable(songs.cluster, "songs", [SECOND])
    with pytest.raises(SearchError, match=r"it is not an index of songs.*Indexes of songs: songs-"):
        retirable(songs.cluster, "songs", ["songs"])
    retire(songs.cluster, "songs", FIRST)
    retire(songs.cluster, "songs", unfinished)
    assert songs.roles() == {SECOND: "searched"}
    assert not songs.cluster.exists(FIRST)
