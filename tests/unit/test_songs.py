"""The tunes that ship with the demo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynadex.demo.lessons import sync
from dynadex.demo.loader import load
from dynadex.demo.songs import lessons
from dynadex.document.typed_json import typed
from dynadex.errors import SourceUnavailable
from dynadex.testing import ManualClock

FIELDS = set(sync.mappings["properties"])


def test_there_are_some_four_thousand_lessons_each_with_its_own_id() -> None:
    ids = [lesson["id"] for lesson in lessons()]
    assert 4000 <= len(ids) == len(set(ids))


def test_every_lesson_is_whole() -> None:
    for lesson in lessons():
        assert set(lesson) <= FIELDS | {"id"}, lesson
        assert {"id", "title", "key", "difficulty", "note_count", "collection"} <= set(lesson), lesson
        assert lesson["title"] == lesson["title"].strip(" .,;"), lesson
        assert "/" not in lesson["id"]
        assert 1 <= lesson["difficulty"] <= 5, lesson
        assert all(value not in ("", None) for value in lesson.values()), lesson


def test_every_lesson_can_be_indexed() -> None:
    assert not [problem for lesson in lessons() if (problem := sync.build(typed(lesson)["M"]).problem)]


def test_the_first_few_are_of_every_kind_and_have_the_rakes() -> None:
    few = list(lessons(200))
    assert len(few) == 200
    assert few[0]["title"] == "The Rakes of Mallow"
    assert len({lesson["collection"] for lesson in few}) == 4
    assert len({lesson.get("form") for lesson in few}) >= 8


class _Table:
    """Takes ``most`` items of a batch, and throttles the rest."""

    def __init__(self, most: int) -> None:
        self.items: list[dict[str, Any]] = []
        self.calls = 0
        self._most = most

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - as boto3 spells it
        self.calls += 1
        [(name, requests)] = RequestItems.items()
        assert 1 <= len(requests) <= 25
        self.items += [request["PutRequest"]["Item"] for request in requests[: self._most]]
        rest = requests[self._most :]
        return {"UnprocessedItems": {name: rest} if rest else {}}


def _load(table: Any, some: Iterator[dict[str, Any]], told: list[int]) -> int:
    return load(table, "lessons", some, told.append, ManualClock())


def test_loading_writes_every_lesson_and_tells_how_far_it_is() -> None:
    table, told = _Table(most=25), list[int]()
    assert _load(table, lessons(60), told) == 60
    assert told == [25, 50, 60]
    assert table.items == [typed(lesson)["M"] for lesson in lessons(60)]


def test_what_a_table_did_not_take_is_sent_again() -> None:
    table = _Table(most=10)
    _load(table, lessons(25), [])
    assert table.calls == 3
    assert sorted(item["id"]["S"] for item in table.items) == sorted(lesson["id"] for lesson in lessons(25))


def test_a_table_that_takes_nothing_is_given_up_on() -> None:
    with pytest.raises(SourceUnavailable, match="still throttled"):
        _load(_Table(most=0), lessons(1), [])


def test_a_table_that_refuses_says_why() -> None:
    class Refusing:
        def batch_write_item(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "BatchWriteItem")

    with pytest.raises(SourceUnavailable, match="slow down"):
        _load(Refusing(), lessons(1), [])
