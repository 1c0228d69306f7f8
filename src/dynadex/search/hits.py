"""Hits: OpenSearch's reply becomes the JSON that the HTTP service returns."""

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
    """Return the hits with their highlights, the number of documents per facet value, and the next page's cursor."""
    return {
        "total": reply["hits"]["total"]["value"],
        "hits": [_hit(hit) for hit in reply["hits"]["hits"]],
        "facets": {name: _counts(reply["aggregations"][name]) for name in search.facets},
        "cursor": _next_page(reply["hits"]["hits"], request, order),
        "did_you_mean": None,
    }


def suggestions(reply: Json) -> list[dict[str, str]]:
    """Return distinct completions, ignoring case, best first: each a text and its highlight."""
    by_text: dict[str, dict[str, str]] = {}
    for hit in reply["hits"]["hits"]:
        text = _text(hit.get("_source", {}))
        if text:
            [highlight] = next(iter(hit.get("highlight", {}).values()), [text])[:1]
            by_text.setdefault(text.casefold(), {"text": text, "highlight": marked(highlight)})
    return list(by_text.values())[:MAX_SUGGESTIONS]


def correction(reply: Json, q: str) -> str | None:
    """Return the text that was probably meant by ``q``, which matches nothing, or None."""
    for hit in reply["hits"]["hits"]:
        text = _text(hit.get("_source", {}))
        if text and text.casefold() != q.strip().casefold():
            return text
    return None


def _next_page(hits: list[Any], request: SearchRequest, order: Order) -> str | None:
    """Return None after the last page, and without a unique order: the next page could then miss hits."""
    if not order.unique or not hits or len(hits) < request.size:
        return None
    return cursor.encode(hits[-1]["sort"], request.identity)


def _text(source: Any) -> str | None:
    """Return the first text of a source that was filtered to one field."""
    while isinstance(source, Mapping | list):
        source = next(iter(source.values() if isinstance(source, Mapping) else source), None)
    return source if isinstance(source, str) else None


def _hit(hit: Json) -> dict[str, Any]:
    highlight = {name: [marked(text) for text in texts] for name, texts in hit.get("highlight", {}).items()}
    return {"id": hit["_id"], "document": hit["_source"], "highlight": highlight}


def _counts(facet: Json) -> list[dict[str, Any]]:
    # The key of a boolean or a date is a number; key_as_string is the value in the document.
    return [
        {"value": bucket.get("key_as_string", bucket["key"]), "count": bucket["doc_count"]}
        for bucket in facet["values"]["buckets"]
    ]
