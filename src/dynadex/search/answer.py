"""What OpenSearch replied, as the HTTP service says it: pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dynadex.search.query import MARK_END, MARK_START

Json = Mapping[str, Any]

_MARKED = re.compile(f"{MARK_START}([^{MARK_START}{MARK_END}]*){MARK_END}")
_STRAY = re.compile(f"[{MARK_START}{MARK_END}]")


def answer(reply: Json, facets: Sequence[str]) -> dict[str, Any]:
    """Hits with their highlights, and the count of each value of each facet."""
    return {
        "total": reply["hits"]["total"]["value"],
        "hits": [_hit(one) for one in reply["hits"]["hits"]],
        "facets": {name: _counts(reply["aggregations"][name]) for name in facets},
    }


def marked(text: str) -> str:
    """Text with marker characters as HTML that is safe whatever the text says: all of it escaped, then <mark> set."""
    return _STRAY.sub("", _MARKED.sub(r"<mark>\1</mark>", html.escape(text)))


def _hit(one: Json) -> dict[str, Any]:
    highlight = {name: [marked(text) for text in texts] for name, texts in one.get("highlight", {}).items()}
    return {"id": one["_id"], "document": one["_source"], "highlight": highlight}


def _counts(facet: Json) -> list[dict[str, Any]]:
    # Of a boolean or a date, the key is a number and only key_as_string is what the document says.
    return [
        {"value": bucket.get("key_as_string", bucket["key"]), "count": bucket["doc_count"]}
        for bucket in facet["values"]["buckets"]
    ]
