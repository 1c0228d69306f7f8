"""Completions while typing, and what was meant when nothing is found, as OpenSearch bodies: pure."""

from __future__ import annotations

from typing import Any

from dynadex.analysis import KEYWORD
from dynadex.declaration import Search
from dynadex.search import title_query
from dynadex.search.highlight import MARK_END, MARK_START
from dynadex.search.tokens import max_tokens, words

Json = dict[str, Any]

MAX_SUGGESTIONS = 8
# Nobody wants a completion of what is longer; and a cluster allows a query of 1,024 clauses.
_MAX_TYPED, _MAX_TYPED_WORDS = 160, 16


def suggest_body(search: Search, q: str) -> Json:
    """The body of a search for texts that complete ``q``."""
    field, text = search.suggest, _typed(q)
    if field is None or text is None:
        return _one_field(None, {"match_none": {}}, 0)
    if field not in search.title_fields:
        prefix = {"match_bool_prefix": {field: {"query": text, "operator": "and"}}}
        # Several documents may share a text.
        return {**_one_field(field, prefix, 4 * MAX_SUGGESTIONS), "highlight": _highlight(field)}
    made = _one_field(field, _any_of(title_query.completions(field, text)), MAX_SUGGESTIONS)
    made["query"]["bool"]["should"].append({"match": {field: {"query": text, "boost": 0.1}}})
    marks = {"bool": {"should": title_query.marks(field, text)}}
    collapse = {"field": f"{field}.{KEYWORD}"}
    return {**made, "collapse": collapse, "highlight": {**_highlight(field), "highlight_query": marks}}


def correction_body(search: Search, q: str) -> Json:
    """The body of a search for a text that ``q``, which found nothing, may have meant."""
    field = next(iter(search.title_fields or search.fields), None)
    text = _typed(q)
    if field is None or text is None:
        return _one_field(None, {"match_none": {}}, 0)
    if field in search.title_fields:
        return _one_field(field, _any_of(title_query.guesses(field, text)), 1)
    return _one_field(field, {"match": {field: {"query": text, "fuzziness": "AUTO", "max_expansions": 20}}}, 1)


def _typed(q: str) -> str | None:
    text = " ".join(words(q))
    return text if text and len(text) <= _MAX_TYPED and max_tokens(text) <= _MAX_TYPED_WORDS else None


def _any_of(queries: list[Json]) -> Json:
    return {"bool": {"must": [{"bool": {"should": queries}}], "should": []}}


def _one_field(field: str | None, query: Json, size: int) -> Json:
    return {"query": query, "_source": [field] if field else False, "size": size, "track_total_hits": False}


def _highlight(field: str) -> Json:
    return {"pre_tags": [MARK_START], "post_tags": [MARK_END], "number_of_fragments": 0, "fields": {field: {}}}
