"""Suggestions: a typed text becomes an OpenSearch body for completions, or for a correction if nothing matches."""

from __future__ import annotations

from typing import Any

from dynadex.analysis import KEYWORD
from dynadex.declaration import Search
from dynadex.search import title_query
from dynadex.search.highlight import highlight_clause
from dynadex.search.tokens import is_short, words

Json = dict[str, Any]

MAX_SUGGESTIONS = 8


def suggest_body(search: Search, q: str) -> Json:
    """Return the body of a search for texts that complete ``q``."""
    field, text = search.suggest, _typed_text(q)
    if field is None or text is None:
        return _one_field(None, {"match_none": {}}, 0)
    if field not in search.title_fields:
        prefix = {"match_bool_prefix": {field: {"query": text, "operator": "and"}}}
        # Several documents may share a text, so more are read than are offered.
        return {**_one_field(field, prefix, 4 * MAX_SUGGESTIONS), "highlight": highlight_clause([field])}
    body = _one_field(field, _any_of(title_query.completions(field, text)), MAX_SUGGESTIONS)
    body["query"]["bool"]["should"].append({"match": {field: {"query": text, "boost": 0.1}}})
    highlight = {**highlight_clause([field]), "highlight_query": {"bool": {"should": title_query.marks(field, text)}}}
    return {**body, "collapse": {"field": f"{field}.{KEYWORD}"}, "highlight": highlight}


def correction_body(search: Search, q: str) -> Json:
    """Return the body of a search for the text that ``q``, which matches nothing, was probably meant to be."""
    field = next(iter(search.title_fields or search.fields), None)
    text = _typed_text(q)
    if field is None or text is None:
        return _one_field(None, {"match_none": {}}, 0)
    if field in search.title_fields:
        return _one_field(field, _any_of(title_query.corrections(field, text)), 1)
    return _one_field(field, {"match": {field: {"query": text, "fuzziness": "AUTO", "max_expansions": 20}}}, 1)


def _typed_text(q: str) -> str | None:
    """Return the words of the query, or None if there are none or the text is too long to complete or correct."""
    text = " ".join(words(q))
    return text if text and is_short(text) else None


def _any_of(queries: list[Json]) -> Json:
    return {"bool": {"must": [{"bool": {"should": queries}}], "should": []}}


def _one_field(field: str | None, query: Json, size: int) -> Json:
    return {"query": query, "_source": [field] if field else False, "size": size, "track_total_hits": False}
