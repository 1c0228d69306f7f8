"""What OpenSearch replied, as the HTTP service says it: pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynadex.declaration import Search
from dynadex.search import cursor
from dynadex.search.highlight import marked
from dynadex.search.request import SearchRequest
from dynadex.search.sort_order import UNORDERED, Order
from dynadex.search.suggest import MAX_SUGGESTIONS

Json = Mapping[str, Any]


def answer(reply: Json, search: Search, request: SearchRequest, order: Order = UNORDERED) -> dict[str, Any]:
    """Hits with their highlights, the count of each value of each facet, and where the next page starts."""
    return {
        "total": reply["hits"]["total"]["value"],
        "hits": [_hit(one) for one in reply["hits"]["hits"]],
        "facets": {name: _counts(reply["aggregations"][name]) for name in search.facets},
        "cursor": _next_page(reply["hits"]["hits"], request, order),
        "did_you_mean": None,
    }


def suggestions(reply: Json, search: Search, q: str) -> list[dict[str, str]]:  # noqa: ARG001
    """Distinct texts that complete what was typed, best first."""
    found: dict[str, dict[str, str]] = {}
    for hit in reply["hits"]["hits"]:
        text = _text(hit.get("_source", {}))
        if text:
            [highlight] = next(iter(hit.get("highlight", {}).values()), [text])[:1]
            found.setdefault(text.casefold(), {"text": text, "highlight": marked(highlight)})
    return list(found.values())[:MAX_SUGGESTIONS]


def correction(reply: Json, q: str) -> str | None:
    """The text that a search which found nothing may have meant, or None."""
    for hit in reply["hits"]["hits"]:
        text = _text(hit.get("_source", {}))
        if text and text.casefold() != q.strip().casefold():
            return text
    return None


def _next_page(hits: list[Any], request: SearchRequest, order: Order) -> str | None:
    """None after the last page, and where no field tells hits apart: a page could then miss some."""
    if not order.unique or not hits or len(hits) < request.size:
        return None
    return cursor.encode(hits[-1]["sort"], request.identity)


def _text(source: Any) -> str | None:
    """The one text in a source that was cut to one field."""
    while isinstance(source, Mapping | list):
        source = next(iter(source.values() if isinstance(source, Mapping) else source), None)
    return source if isinstance(source, str) else None


def _hit(one: Json) -> dict[str, Any]:
    highlight = {name: [marked(text) for text in texts] for name, texts in one.get("highlight", {}).items()}
    return {"id": one["_id"], "document": one["_source"], "highlight": highlight}


def _counts(facet: Json) -> list[dict[str, Any]]:
    # Of a boolean or a date, the key is a number and only key_as_string is what the document says.
    return [
        {"value": bucket.get("key_as_string", bucket["key"]), "count": bucket["doc_count"]}
        for bucket in facet["values"]["buckets"]
    ]
