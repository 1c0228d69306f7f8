"""When a search that waits for a write goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.document.body import decode, encode
from dynadex.document.identity import KeySchema
from dynadex.document.versioning import MICROSECONDS, Timing
from dynadex.errors import SearchUnavailable
from dynadex.http import read_your_writes
from dynadex.http.app import create_app
from dynadex.http.change_token import ChangeToken, fingerprint
from dynadex.http.read_your_writes import MAX_WAITING, ReadYourWrites
from dynadex.search.problem import Problem
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable, ManualClock
from tests.unit.service import AUTH, NOTHING_FOUND, WRITER, Client, ScriptedIndex, error_of, hit, path_of

SYNC = Sync(table="lessons", index="lessons", search=Search(fields={"title": 1}, facets=("form",)))
WRITTEN_US = 1_764_000_000_500_000
TIMING = Timing()
OLD, NEW, NEWER = ({"id": "x", "title": title} for title in ("old", "new", "newer"))


class Stage:
    """A table, and an index that shows ``shown`` for so many looks, then ``later``; each look takes half a second."""

    def __init__(self, shown: Any, later: Any = None, looks: int = 10**6) -> None:
        self.shown = shown
        self.later = later
        self.looks = looks
        self.clock = ManualClock()
        self.memory = InMemoryTable("lessons")
        self.preferences: set[str | None] = set()

    def search(self, index: str, body: Any, timeout_seconds: float | None = None, preference: str | None = None) -> Any:
        assert (index, timeout_seconds is not None) == ("lessons", True)
        assert body["query"] == {"ids": {"values": ["x"]}}
        self.preferences.add(preference)
        self.clock.sleep(0.5)
        self.looks -= 1
        found = self.shown if self.looks >= 0 else self.later
        return {"hits": {"hits": [] if found is None else [found]}}

    def reached(self, document: Any) -> bool:
        made = None if document is None else fingerprint(encode(document))
        table: Any = Table(self.memory, "lessons")  # type: ignore[arg-type]
        looking = ReadYourWrites(SYNC, self, table, self.memory.schema, TIMING, self.clock)
        return asyncio.run(looking.reached(ChangeToken("x", made, WRITTEN_US), "p"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes in the looks alone."""
    monkeypatch.setattr(read_your_writes, "_EVERY_SECONDS", 0)


def test_a_write_is_shown_when_its_document_is() -> None:
    stage = Stage(hit("x", OLD, 1), hit("x", NEW, 2), looks=3)
    assert stage.reached(NEW)
    assert stage.looks == -1
    assert stage.preferences == {"p"}


def test_a_delete_is_shown_when_there_is_no_document() -> None:
    stage = Stage(hit("x", OLD, 1), None, looks=2)
    assert stage.reached(None)
    assert stage.looks == -1


def test_a_document_is_compared_by_what_it_says() -> None:
    stage = Stage(hit("x", decode('{"title":"new","level":1.50,"id":"x"}'), 1))
    assert stage.reached({"id": "x", "title": "new", "level": 1.5})


@pytest.mark.parametrize(("later_us", "reached"), [(1, True), (0, False), (-MICROSECONDS, False)])
def test_a_document_surely_made_later_is_as_good(later_us: int, reached: bool) -> None:
    stage = Stage(hit("x", NEWER, WRITTEN_US + TIMING.margin_us + later_us))
    assert stage.reached(NEW) is reached


def test_the_wait_has_an_end() -> None:
    stage = Stage(hit("x", OLD, 1))
    assert not stage.reached(NEW)
    assert 5 <= stage.clock.monotonic() - ManualClock().monotonic() < 6.5


@pytest.mark.parametrize("then", [NEWER, None])
def test_whoever_was_overtaken_at_once_does_not_wait_for_what_never_comes(then: Any) -> None:
    stage = Stage(hit("x", NEWER, 1) if then else None)
    if then:
        stage.memory.put({"id": {"S": "x"}, "title": {"S": "newer"}})
    assert stage.reached(NEW)
    assert stage.clock.monotonic() - ManualClock().monotonic() < 2.5


def test_a_token_of_another_table_is_waited_for_and_no_more() -> None:
    stage = Stage(None)
    stage.memory = InMemoryTable("lessons", KeySchema(("n",), ("N",)))
    assert not stage.reached(NEW)


def test_more_than_so_many_do_not_wait() -> None:
    table: Any = Table(InMemoryTable("lessons"), "lessons")  # type: ignore[arg-type]
    stage = Stage(hit("x", OLD, 1))
    looking = ReadYourWrites(SYNC, stage, table, InMemoryTable().schema, TIMING, stage.clock)
    token = ChangeToken("x", "00", WRITTEN_US)

    async def at_once() -> list[bool]:
        return await asyncio.gather(*(looking.reached(token, "p") for _ in range(MAX_WAITING + 10)))

    before = stage.looks
    assert asyncio.run(at_once()) == [False] * (MAX_WAITING + 10)
    assert before - stage.looks <= MAX_WAITING * 2
    assert not asyncio.run(looking.reached(token, "p")), "those before do not count any more"


def test_a_cluster_that_is_away_is_told_as_such() -> None:
    stage = Stage(None)

    def away(*_: Any) -> Any:
        raise SearchUnavailable("search index", "lessons", "away")

    stage.search = away  # type: ignore[method-assign,assignment]
    with pytest.raises(SearchUnavailable):
        stage.reached(NEW)


def client_of(index: ScriptedIndex, memory: InMemoryTable) -> Client:
    table: Any = Table(memory, "lessons")  # type: ignore[arg-type]
    return Client(create_app(SYNC, index, table, memory.schema, auth=AUTH), WRITER)


def test_a_search_after_a_write_says_whether_it_shows_it() -> None:
    index, memory = ScriptedIndex(), InMemoryTable("lessons")
    client = client_of(index, memory)
    written = client.put(path_of("x"), json={"title": "new"}).json()
    index.replies = [{"hits": {"hits": []}}, {"hits": {"hits": [hit("x", NEW)]}}, NOTHING_FOUND]
    found = client.get(f"/api/search?after={written['change']}").json()
    assert (found["after_reached"], found["total"]) == (True, 0)
    # The copies that were looked at are those that are searched.
    assert len(index.preferences) == 3
    assert len(set(index.preferences)) == 1
    assert index.preferences[0]
    assert not index.preferences[0].startswith("_")
    assert "after_reached" not in client.get("/api/search").json()


def test_what_is_no_token_is_told_before_anything_is_asked() -> None:
    index = ScriptedIndex()
    client = client_of(index, InMemoryTable("lessons"))
    for text in ("x", "", "%F0%9F%8E%BB", "x" * 5000):
        assert error_of(client.get(f"/api/search?after={text}")) == (400, "bad_change_token")
    assert index.asked == []
    with pytest.raises(Problem):
        ChangeToken.parse("x")
