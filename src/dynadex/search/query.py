"""Search queries: a Search declaration and a SearchRequest become an OpenSearch body.

Fields mapped with ``dynadex.analysis.title()`` are searched as ``dynadex.search.title_query`` describes, all others as
``dynadex.search.word_query`` describes. The words of a query may be spread over both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynadex.analysis import LOOSE
from dynadex.declaration import Search
from dynadex.search import title_query, word_query
from dynadex.search.cursor import bad_cursor
from dynadex.search.highlight import highlight_clause
from dynadex.search.request import SearchRequest
from dynadex.search.sort_order import UNORDERED, Order
from dynadex.search.tokens import is_short, max_tokens, words

Json = dict[str, Any]

_MAX_FACET_VALUES = 50
_ACROSS_WEIGHT, _MAX_ACROSS_TOKENS_WITH_TYPOS = 0.1, 2


def body(search: Search, request: SearchRequest, order: Order = UNORDERED) -> Json:
    """Return the body of a search. ``order`` breaks ties. Raises Problem for a cursor that does not fit the sort."""
    filters = {name: {"terms": {name: list(values)}} for name, values in request.filters.items()}
    sort = _sort(search, request, order)
    search_body: Json = {
        "query": _query(search, request.q),
        # Applied after the aggregations, so that a facet still counts the values that could be chosen in it.
        "post_filter": {"bool": {"filter": list(filters.values())}},
        "aggs": {name: _facet(name, filters) for name in search.facets},
        "highlight": _highlight(search, request.q),
        "sort": sort,
        "size": request.size,
        "track_total_hits": True,
    }
    if request.cursor is not None:
        if not order.unique or len(request.cursor) != len(sort):
            raise bad_cursor()
        search_body["search_after"] = list(request.cursor)
    return search_body


def _query(search: Search, q: str) -> Json:
    query_words = words(q)
    if not query_words or not search.fields:
        return {"match_all": {}}
    text = " ".join(query_words)
    if not is_short(text) or max_tokens(text) * len(search.fields) > word_query.MAX_FIELD_TOKENS:
        return word_query.pasted(search.fields, text)
    # A space after the last word finishes it.
    unfinished = not q[-1:].isspace()
    titles = {name: weight for name, weight in search.fields.items() if name in search.title_fields}
    if not titles:
        match = word_query.every_word(search.fields, query_words, unfinished=unfinished)
        return {"bool": {"must": [match], "should": word_query.preferences(search.fields, text)}}
    max_weight = max(titles.values())
    alternatives, preferences = [], []
    for name, weight in titles.items():
        alternatives += title_query.alternatives(name, text, weight / max_weight, unfinished=unfinished)
        preferences += title_query.preferences(name, text, weight / max_weight)
    if len(search.fields) > 1:
        alternatives.append(_across_fields(search, query_words, max_weight, unfinished=unfinished))
    return {"bool": {"must": [{"bool": {"should": alternatives}}], "should": preferences}}


def _across_fields(search: Search, query_words: Sequence[str], max_weight: float, *, unfinished: bool) -> Json:
    """Return a query for words of titles and of other fields together.

    It scores low: a title that has all the words matches a better alternative.
    """
    fields = {
        f"{name}.{LOOSE}" if name in search.title_fields else name: _ACROSS_WEIGHT * weight / max_weight
        for name, weight in search.fields.items()
    }
    return word_query.every_word(
        fields, query_words, unfinished=unfinished, max_tokens_with_typos=_MAX_ACROSS_TOKENS_WITH_TYPOS
    )


def _facet(name: str, filters: Mapping[str, Json]) -> Json:
    """Return an aggregation that counts a facet's values among the documents that match all other facets' filters."""
    others = [clause for other, clause in filters.items() if other != name]
    return {
        "filter": {"bool": {"filter": others}},
        "aggs": {"values": {"terms": {"field": name, "size": _MAX_FACET_VALUES}}},
    }


def _highlight(search: Search, q: str) -> Json:
    # A sub-field has the same text as its field, and its highlights may be misplaced where its analysis differs.
    names = [name for name in search.highlights if name.rpartition(".")[0] not in search.fields]
    highlight = highlight_clause(names)
    if search.title_fields and (query_words := words(q)):
        # A title matches in its sub-fields; the words are highlighted in the title itself.
        text = " ".join(query_words)
        marks = [query for name in names for query in title_query.marks(name, text)]
        highlight["highlight_query"] = {"bool": {"should": marks}}
    return highlight


def _sort(search: Search, request: SearchRequest, order: Order) -> list[Json]:
    ties = [{name: {"order": "asc", "unmapped_type": "keyword"}} for name in order.fields]
    if request.sort is None:
        return [{"_score": {"order": "desc"}}, *ties]
    declared = search.sorts[request.sort]
    field, direction = declared.removeprefix("-"), "desc" if declared.startswith("-") else "asc"
    # A hit without the field comes last in both directions.
    first = {field: {"order": direction, "missing": "_last", "unmapped_type": "keyword"}}
    return [first, *(tie for tie in ties if field not in tie)]
