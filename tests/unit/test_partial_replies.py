"""Replies of a cluster while a shard of the index is unavailable."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dynadex.errors import SearchError, SearchUnavailable
from dynadex.http.health import index_reasons
from dynadex.index.opensearch import OpenSearchIndex


def cluster(*replies: Any) -> OpenSearchIndex:
    remaining = list(replies)

    def perform_request(*_: Any, **__: Any) -> Any:
        return remaining.pop(0)

    return OpenSearchIndex(cast(Any, SimpleNamespace(transport=SimpleNamespace(perform_request=perform_request))))


def test_read_from_an_unavailable_shard_is_retryable() -> None:
    error = {"type": "no_shard_available_action_exception", "reason": "No shard available for [org.opensearch...]"}
    reply = {"docs": [{"_index": "songs-1", "_id": "a", "error": {**error, "root_cause": [error]}}]}
    with pytest.raises(SearchError) as raised:
        cluster(reply).get_many("songs-1", ["a"])
    assert isinstance(raised.value, SearchUnavailable), raised.value
    assert not raised.value.not_found


@pytest.mark.parametrize(
    "shards",
    [
        {"total": 2, "successful": 1, "skipped": 0, "failed": 1},
        {"total": 2, "successful": 1, "skipped": 0, "failed": 0},
    ],
)
def test_listing_without_one_of_the_shards_raises(shards: Any) -> None:
    hit = {"_id": "a", "_version": 1}
    first = {"_scroll_id": "s", "_shards": shards, "hits": {"hits": [hit]}}
    last = {"_scroll_id": "s", "_shards": shards, "hits": {"hits": []}}
    with pytest.raises(SearchUnavailable):
        list(cluster(first, last, {}).versions("songs-1"))


SHARDS = {"total": 2, "successful": 1, "skipped": 0, "failed": 0}


class Red:
    def search(self, *_: Any, **__: Any) -> Any:
        return {"_shards": SHARDS, "hits": {"hits": []}}

    def indexes_behind(self, _: str) -> list[str]:
        return []


def test_index_with_an_unassigned_shard_is_not_ready() -> None:
    assert index_reasons("songs", Red(), 2.0) == ("some shards of the index cannot be searched",)
