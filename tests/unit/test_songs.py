"""The songs that ship with the demo, and loading them into a table."""

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


def test_demo_has_4000_lessons_with_unique_ids() -> None:
    ids = [lesson["id"] for lesson in lessons()]
    assert 4000 <= len(ids) == len(set(ids))


def test_every_lesson_has_valid_fields() -> None:
    for lesson in lessons():
        assert set(lesson) <= FIELDS | {"id"}, lesson
        assert {"id", "title", "key", "difficulty", "note_count", "collection"} <= set(lesson), lesson
        assert lesson["title"] == lesson["title"].strip(" .,;"), lesson
        assert "/" not in lesson["id"]
        assert 1 <= lesson["difficulty"] <= 5, lesson
        assert all(value not in ("", None) for value in lesson.values()), lesson


def test_every_lesson_can_be_indexed() -> None:
    assert not [problem for lesson in lessons() if (problem := sync.build(typed(lesson)["M"]).problem)]


def test_first_lessons_are_varied_and_start_with_the_rakes_of_mallow() -> None:
    first = list(lessons(200))
    assert len(first) == 200
    assert first[0]["title"] == "The Rakes of Mallow"
    assert len({lesson["collection"] for lesson in first}) == 4
    assert len({lesson.get("form") for lesson in first}) >= 8


class _Table:
    """Accepts ``max_items`` items of each batch and throttles the rest."""

    def __init__(self, max_items: int) -> None:
        self.items: list[dict[str, Any]] = []
        self.calls = 0
        self._max_items = max_items

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - as boto3 spells it
        self.calls += 1
        [(name, requests)] = RequestItems.items()
        assert 1 <= len(requests) <= 25
        self.items += [request["PutRequest"]["Item"] for request in requests[: self._max_items]]
        rest = requests[self._max_items :]
        return {"UnprocessedItems": {name: rest} if rest else {}}


def _load(table: Any, items: Iterator[dict[str, Any]], counts: list[int]) -> int:
    return load(table, "lessons", items, counts.append, ManualClock())


def test_loading_writes_every_lesson_and_reports_progress() -> None:
    table, counts = _Table(max_items=25), list[int]()
    assert _load(table, lessons(60), counts) == 60
    assert counts == [25, 50, 60]
    assert table.items == [typed(lesson)["M"] for lesson in lessons(60)]


def test_throttled_items_are_sent_again() -> None:
    table = _Table(max_items=10)
    _load(table, lessons(25), [])
    assert table.calls == 3
    assert sorted(item["id"]["S"] for item in table.items) == sorted(lesson["id"] for lesson in lessons(25))


def test_loading_fails_if_every_item_is_throttled() -> None:
    with pytest.raises(SourceUnavailable, match="still throttled"):
        _load(_Table(max_items=0), lessons(1), [])


def test_loading_error_has_the_reason_of_the_table() -> None:
    class Rejecting:
        def batch_write_item(self, **_: Any) -> None:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "BatchWriteItem")

    with pytest.raises(SourceUnavailable, match="slow down"):
        _load(Rejecting(), lessons(1), [])
