"""A search waits until a write is visible, within bounds."""

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
from dynadex.http.app import HttpOptions, create_app
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
    """A table, and an index that returns ``first`` for some searches, then ``later``. A search takes 0.5 seconds."""

    def __init__(self, first: Any, later: Any = None, searches: int = 10**6) -> None:
        self.first = first
        self.later = later
        self.searches = searches
        self.clock = ManualClock()
        self.memory = InMemoryTable("lessons")
        self.preferences: set[str | None] = set()

    def search(self, index: str, body: Any, timeout_seconds: float | None = None, preference: str | None = None) -> Any:
        assert (index, timeout_seconds is not None) == ("lessons", True)
        assert body["query"] == {"ids": {"values": ["x"]}}
        self.preferences.add(preference)
        self.clock.sleep(0.5)
        self.searches -= 1
        hit_ = self.first if self.searches >= 0 else self.later
        return {"hits": {"hits": [] if hit_ is None else [hit_]}}

    def is_visible(self, document: Any) -> bool:
        expected = None if document is None else fingerprint(encode(document))
        table: Any = Table(self.memory, "lessons")  # type: ignore[arg-type]
        waiting = ReadYourWrites(SYNC, self, table, self.memory.schema, TIMING, self.clock)
        return asyncio.run(waiting.wait_until_visible(ChangeToken("x", expected, WRITTEN_US), "p"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass only in searches."""
    monkeypatch.setattr(read_your_writes, "_POLL_SECONDS", 0)


def test_write_is_visible_once_its_document_is() -> None:
    stage = Stage(hit("x", OLD, 1), hit("x", NEW, 2), searches=3)
    assert stage.is_visible(NEW)
    assert stage.searches == -1
    assert stage.preferences == {"p"}


def test_delete_is_visible_once_the_document_is_deleted() -> None:
    stage = Stage(hit("x", OLD, 1), None, searches=2)
    assert stage.is_visible(None)
    assert stage.searches == -1


def test_documents_are_compared_by_content() -> None:
    stage = Stage(hit("x", decode('{"title":"new","level":1.50,"id":"x"}'), 1))
    assert stage.is_visible({"id": "x", "title": "new", "level": 1.5})


@pytest.mark.parametrize(("later_us", "visible"), [(1, True), (0, False), (-MICROSECONDS, False)])
def test_document_certainly_later_than_the_write_ends_the_wait(later_us: int, visible: bool) -> None:
    stage = Stage(hit("x", NEWER, WRITTEN_US + TIMING.margin_us + later_us))
    assert stage.is_visible(NEW) is visible


def test_wait_is_bounded() -> None:
    stage = Stage(hit("x", OLD, 1))
    assert not stage.is_visible(NEW)
    assert 5 <= stage.clock.monotonic() - ManualClock().monotonic() < 6.5


@pytest.mark.parametrize("then", [NEWER, None])
def test_write_that_was_superseded_immediately_is_not_waited_for(then: Any) -> None:
    stage = Stage(hit("x", NEWER, 1) if then else None)
    if then:
        stage.memory.put({"id": {"S": "x"}, "title": {"S": "newer"}})
    assert stage.is_visible(NEW)
    assert stage.clock.monotonic() - ManualClock().monotonic() < 2.5


def test_token_of_another_table_is_never_visible() -> None:
    stage = Stage(None)
    stage.memory = InMemoryTable("lessons", KeySchema(("n",), ("N",)))
    assert not stage.is_visible(NEW)


def test_requests_beyond_the_maximum_do_not_wait() -> None:
    table: Any = Table(InMemoryTable("lessons"), "lessons")  # type: ignore[arg-type]
    stage = Stage(hit("x", OLD, 1))
    waiting = ReadYourWrites(SYNC, stage, table, InMemoryTable().schema, TIMING, stage.clock)
    token = ChangeToken("x", "00", WRITTEN_US)

    async def concurrent_waits() -> list[bool]:
        return await asyncio.gather(*(waiting.wait_until_visible(token, "p") for _ in range(MAX_WAITING + 10)))

    before = stage.searches
    assert asyncio.run(concurrent_waits()) == [False] * (MAX_WAITING + 10)
    assert before - stage.searches <= MAX_WAITING * 2
    assert not asyncio.run(waiting.wait_until_visible(token, "p")), "finished waits no longer count"


def test_unavailable_cluster_is_an_error() -> None:
    stage = Stage(None)

    def unavailable(*_: Any) -> Any:
        raise SearchUnavailable("search index", "lessons", "unavailable")

    stage.search = unavailable  # type: ignore[method-assign,assignment]
    with pytest.raises(SearchUnavailable):
        stage.is_visible(NEW)


def client_of(index: ScriptedIndex, memory: InMemoryTable) -> Client:
    table: Any = Table(memory, "lessons")  # type: ignore[arg-type]
    return Client(create_app(SYNC, index, table, memory.schema, HttpOptions(auth=AUTH)), WRITER)


def test_search_with_a_change_token_reports_whether_it_shows_the_write() -> None:
    index, memory = ScriptedIndex(), InMemoryTable("lessons")
    client = client_of(index, memory)
    written = client.put(path_of("x"), json={"title": "new"}).json()
    index.replies = [{"hits": {"hits": []}}, {"hits": {"hits": [hit("x", NEW)]}}, NOTHING_FOUND]
    results = client.get(f"/api/search?after={written['change']}").json()
    assert (results["after_reached"], results["total"]) == (True, 0)
    # The wait and the search use the same copies of the shards.
    assert len(index.preferences) == 3
    assert len(set(index.preferences)) == 1
    assert index.preferences[0]
    assert not index.preferences[0].startswith("_")
    assert "after_reached" not in client.get("/api/search").json()


def test_invalid_token_is_rejected_before_any_search() -> None:
    index = ScriptedIndex()
    client = client_of(index, InMemoryTable("lessons"))
    for text in ("x", "", "%F0%9F%8E%BB", "x" * 5000):
        assert error_of(client.get(f"/api/search?after={text}")) == (400, "bad_change_token")
    assert index.searches == []
    with pytest.raises(Problem):
        ChangeToken.parse("x")
