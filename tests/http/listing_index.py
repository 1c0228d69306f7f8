"""The in-memory index of dynadex.testing, with searches that list all documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dynadex.testing import InMemoryIndex

Json = dict[str, Any]


class ListingIndex(InMemoryIndex):
    """Every document matches every query, sorted by id. Facets are counted, and highlights are the whole texts."""

    def search(
        self,
        index: str,
        body: Mapping[str, Any],
        timeout_seconds: float | None = None,  # noqa: ARG002
        preference: str | None = None,  # noqa: ARG002
    ) -> Json:
        documents = self.documents(index)
        requested = body.get("query", {}).get("ids", {}).get("values")
        matches = sorted(identity for identity in documents if requested is None or identity in requested)
        sorts = len(body.get("sort", ()))
        return {
            "hits": {
                "total": {"value": len(matches)},
                "hits": [
                    _hit(identity, documents[identity], sorts, body) for identity in matches[: body.get("size", 10)]
                ],
            },
            "aggregations": {name: _counted(documents.values(), name) for name in body.get("aggs", {})},
        }


def _hit(identity: str, source: Json, sorts: int, body: Mapping[str, Any]) -> Json:
    highlight = {name: [str(source[name])] for name in body.get("highlight", {}).get("fields", {}) if name in source}
    sort = [1.0] * (sorts - 1) + [identity]
    return {"_id": identity, "_version": 1, "_source": source, "highlight": highlight, "sort": sort}


def _counted(documents: Any, name: str) -> Json:
    counts = Counter(document[name] for document in documents if name in document)
    return {"values": {"buckets": [{"key": key, "doc_count": count} for key, count in counts.items()]}}
