"""A search request to an OpenSearch body: pure.

Fields mapped with dynadex.analysis.title() are searched as dynadex.search.title_query tells, all others as
dynadex.search.word_query does; words of a query may be spread over both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynadex.analysis import LOOSE
from dynadex.declaration import Search
from dynadex.search import title_query, word_query
from dynadex.search.cursor import bad_cursor
from dynadex.search.highlight import MARK_END, MARK_START
from dynadex.search.request import SearchRequest, parse
from dynadex.search.sort_order import UNORDERED, Order
from dynadex.search.suggest import correction_body, suggest_body
from dynadex.search.tokens import max_tokens, words

__all__ = ["SearchRequest", "body", "correction_body", "parse", "suggest_body"]

Json = dict[str, Any]

_MAX_FACET_VALUES = 50
# What is longer was pasted rather than typed.
_MAX_TYPED, _MAX_TYPED_WORDS = 160, 16
_ACROSS, _ACROSS_WITH_SLIPS = 0.1, 2


def body(search: Search, request: SearchRequest, order: Order = UNORDERED) -> Json:
    """The body of a search; ``order`` decides between hits otherwise equal. Raises Problem for a cursor of others."""
    filters = {name: {"terms": {name: list(values)}} for name, values in request.filters.items()}
    sort = _sort(search, request, order)
    made: Json = {
        "query": _query(search, request.q),
        # After the aggregations, so that a facet still shows what else could be chosen in it.
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
        made["search_after"] = list(request.cursor)
    return made


def _query(search: Search, q: str) -> Json:
    wanted = words(q)
    if not wanted or not search.fields:
        return {"match_all": {}}
    text = " ".join(wanted)
    tokens = max_tokens(text)
    if len(text) > _MAX_TYPED or tokens > _MAX_TYPED_WORDS or tokens * len(search.fields) > word_query.MAX_LOOKED_FOR:
        return word_query.pasted(search.fields, text)
    unfinished = not q[-1:].isspace()
    names = {name: weight for name, weight in search.fields.items() if name in search.title_fields}
    if not names:
        found = word_query.every_word(search.fields, wanted, unfinished=unfinished)
        return {"bool": {"must": [found], "should": word_query.preferences(search.fields, text)}}
    most = max(names.values())
    passed, better = [], []
    for name, weight in names.items():
        passed += title_query.gates(name, text, weight / most, unfinished=unfinished)
        better += title_query.preferences(name, text, weight / most)
    if len(search.fields) > 1:
        passed.append(_across(search, wanted, most, unfinished=unfinished))
    return {"bool": {"must": [{"bool": {"should": passed}}], "should": better}}


def _across(search: Search, wanted: Sequence[str], most: float, *, unfinished: bool) -> Json:
    """Words of a title and words of other fields in one query; worth little, for a title alone passes better gates."""
    fields = {
        f"{name}.{LOOSE}" if name in search.title_fields else name: _ACROSS * weight / most
        for name, weight in search.fields.items()
    }
    return word_query.every_word(fields, wanted, unfinished=unfinished, max_with_slips=_ACROSS_WITH_SLIPS)


def _facet(name: str, filters: Mapping[str, Json]) -> Json:
    others = [one for other, one in filters.items() if other != name]
    return {
        "filter": {"bool": {"filter": others}},
        "aggs": {"values": {"terms": {"field": name, "size": _MAX_FACET_VALUES}}},
    }


def _highlight(search: Search, q: str) -> Json:
    # A sub-field looks at the same text again, and its marks may be off where it reads it differently.
    shown = [name for name in search.highlights if name.rpartition(".")[0] not in search.fields]
    made: Json = {
        "pre_tags": [MARK_START],
        "post_tags": [MARK_END],
        "number_of_fragments": 0,
        "fields": {name: {} for name in shown},
    }
    if search.title_fields and (wanted := words(q)):
        # What found the title is in its sub-fields; what is marked is in the title itself.
        made["highlight_query"] = {
            "bool": {"should": [one for name in shown for one in title_query.marks(name, " ".join(wanted))]}
        }
    return made


def _sort(search: Search, request: SearchRequest, order: Order) -> list[Json]:
    ties = [{name: {"order": "asc", "unmapped_type": "keyword"}} for name in order.fields]
    if request.sort is None:
        return [{"_score": {"order": "desc"}}, *ties]
    declared = search.sorts[request.sort]
    chosen, direction = declared.removeprefix("-"), "desc" if declared.startswith("-") else "asc"
    # A hit without the field comes last, whatever the direction.
    first = {chosen: {"order": direction, "missing": "_last", "unmapped_type": "keyword"}}
    return [first, *(tie for tie in ties if chosen not in tie)]
