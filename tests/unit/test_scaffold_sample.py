"""Samples of a table: the requested number of distinct items."""

from __future__ import annotations

import itertools

import pytest

from dynadex.scaffold.sample import take
from dynadex.testing import InMemoryTable


def table(count: int) -> InMemoryTable:
    songs = InMemoryTable("songs")
    for number in range(count):
        songs.put({"id": {"S": str(number)}})
    return songs


@pytest.mark.parametrize(
    ("count", "max_items", "size"), [(0, 5, 0), (5, 5, 5), (5, 4, 4), (100, 1, 1), (100, 30, 30), (100, 500, 100)]
)
def test_sample_has_the_requested_number_of_distinct_items(count: int, max_items: int, size: int) -> None:
    sample = take(table(count), "songs", max_items)  # type: ignore[arg-type]
    ids = [item["id"]["S"] for item in sample.items]
    assert (len(ids), len(set(ids))) == (size, size)
    assert not sample.whole or size == count


def test_sample_of_a_small_table_is_the_whole_table() -> None:
    assert take(table(20), "songs", 100).whole  # type: ignore[arg-type]


def test_stopped_sample_has_the_items_read_so_far() -> None:
    calls = itertools.count(1)
    sample = take(table(100), "songs", 80, lambda: next(calls) > 3)  # type: ignore[arg-type]
    assert 0 < len(sample.items) < 80
    assert not sample.whole
