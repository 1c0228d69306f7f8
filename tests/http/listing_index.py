"""The shipped index in memory, with searches that list what is there: enough for a service to answer from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dynadex.testing import InMemoryIndex

Json = dict[str, Any]


class ListingIndex(InMemoryIndex):
    """Every document matches every query, in the order of the ids; facets are counted, highlights are the texts."""

    def search(
        self,
        index: str,
        body: Mapping[str, Any],
        timeout_seconds: float | None = None,  # noqa: ARG002
        preference: str | None = None,  # noqa: ARG002
    ) -> Json:
        documents = self.documents(index)
        wanted = body.get("query", {}).get("ids", {}).get("values")
        found = sorted(identity for identity in documents if wanted is None or identity in wanted)
        sorts = len(body.get("sort", ()))
        return {
            "hits": {
                "total": {"value": len(found)},
                "hits": [_hit(one, documents[one], sorts, body) for one in found[: body.get("size", 10)]],
            },
            "aggregations": {name: _counted(documents.values(), name) for name in body.get("aggs", {})},
        }


def _hit(identity: str, source: Json, sorts: int, body: Mapping[str, Any]) -> Json:
    marked = {name: [str(source[name])] for name in body.get("highlight", {}).get("fields", {}) if name in source}
    sort = [1.0] * (sorts - 1) + [identity]
    return {"_id": identity, "_version": 1, "_source": source, "highlight": marked, "sort": sort}


def _counted(documents: Any, name: str) -> Json:
    counts = Counter(one[name] for one in documents if name in one)
    return {"values": {"buckets": [{"key": key, "doc_count": count} for key, count in counts.items()]}}
