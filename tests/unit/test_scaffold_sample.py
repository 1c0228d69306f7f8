"""A sample: as many items as asked, from all over the table, each once."""

from __future__ import annotations

import pytest

from dynadex.scaffold.sample import take
from dynadex.testing import InMemoryTable


def table(count: int) -> InMemoryTable:
    songs = InMemoryTable("songs")
    for number in range(count):
        songs.put({"id": {"S": str(number)}})
    return songs


@pytest.mark.parametrize(
    ("count", "most", "taken"), [(0, 5, 0), (5, 5, 5), (5, 4, 4), (100, 1, 1), (100, 30, 30), (100, 500, 100)]
)
def test_it_has_as_many_items_as_asked_each_once(count: int, most: int, taken: int) -> None:
    sample = take(table(count), "songs", most)  # type: ignore[arg-type]
    ids = [item["id"]["S"] for item in sample.items]
    assert (len(ids), len(set(ids))) == (taken, taken)
    assert not sample.whole or taken == count


def test_it_is_the_whole_table_where_that_is_small() -> None:
    assert take(table(20), "songs", 100).whole  # type: ignore[arg-type]


def test_who_is_stopped_has_what_was_read() -> None:
    asked: list[int] = []
    sample = take(table(100), "songs", 80, lambda: bool(asked.append(1)) or len(asked) > 3)  # type: ignore[arg-type, func-returns-value]
    assert 0 < len(sample.items) < 80
    assert not sample.whole
