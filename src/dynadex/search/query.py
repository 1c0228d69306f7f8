"""A search request to an OpenSearch body: pure.

Every word must be found, in any of the fields: as it is, as the beginning of a word if it is the last (people search
while they type), or with a slip. These three count so differently that a better kind of match always wins; among
equals the words' rarity and the field's length decide, as usual.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynadex.declaration import Search
from dynadex.search.problems import bad_request

Json = dict[str, Any]

MOST_HITS = 100
LONGEST_QUERY = 512
DEFAULT_HITS = 20
# Private-use characters, which no font shows and nobody types: what stands between them matched.
MARK_START, MARK_END = "\ue000", "\ue001"

_EXACT, _PREFIX, _SLIP, _PHRASE, _RARITY = 12.0, 8.0, 4.0, 1.0, 0.1
_MOST_FACET_VALUES = 50
# A slip expands to up to so many words of the index; all of a query's together must stay below the 1,024 clauses that
# a cluster allows. Beyond these words, the text was pasted rather than typed.
_SLIP_EXPANSIONS = 20
_MOST_WORDS_WITH_SLIPS = 8


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is wanted: words, values per facet (any of them, in each facet), and how many hits."""

    q: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    size: int = DEFAULT_HITS


def parse(parameters: Iterable[tuple[str, str]], facets: Sequence[str]) -> SearchRequest:
    """The request that query parameters make; raises Problem."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    unknown = [name for name in given if name not in ("q", "size", *facets)]
    if unknown:
        raise bad_request("unknown_parameter", f"There is no parameter {unknown[0][:80]!r}.")
    for name in ("q", "size"):
        if len(given.get(name, ())) > 1:
            raise bad_request("repeated_parameter", f"The parameter {name!r} is given twice.")
    q = given.pop("q", [""])[0]
    if len(q) > LONGEST_QUERY:
        raise bad_request("query_too_long", f"A query has at most {LONGEST_QUERY} characters.")
    return SearchRequest(q, size=_size(given.pop("size", [str(DEFAULT_HITS)])[0]), filters=given)


def body(search: Search, request: SearchRequest, order: str | None = None) -> Json:
    """The body of a search. ``order`` is a keyword field that decides between hits otherwise equal."""
    filters = {name: {"terms": {name: list(values)}} for name, values in request.filters.items()}
    return {
        "query": _query(search.fields, request.q),
        # After the aggregations, so that a facet still shows what else could be chosen in it.
        "post_filter": {"bool": {"filter": list(filters.values())}},
        "aggs": {name: _facet(name, filters) for name in search.facets},
        "highlight": _highlight(search),
        "sort": ["_score", *([{order: {"order": "asc", "unmapped_type": "keyword"}}] if order else [])],
        "size": request.size,
        "track_total_hits": True,
    }


def words(q: str) -> list[str]:
    """The words of a query: whatever is between spaces and is more than punctuation."""
    return [word for word in q.split() if any(_is_letter(one) for one in word)]


def _is_letter(one: str) -> bool:
    """Letters, digits, marks and the like, and symbols such as a note or a violin: what a tokenizer keeps."""
    return unicodedata.category(one)[0] in "LNM" or unicodedata.category(one) == "So"


def _query(fields: Mapping[str, float], q: str) -> Json:
    wanted = words(q)
    if not wanted or not fields:
        return {"match_all": {}}
    slips = len(wanted) <= _MOST_WORDS_WITH_SLIPS
    unfinished = not q[-1:].isspace()
    must = [
        {"dis_max": {"queries": list(_word(fields, word, slips, unfinished and place == len(wanted)))}}
        for place, word in enumerate(wanted, 1)
    ]
    text = " ".join(wanted)
    weighted = [f"{name}^{weight}" for name, weight in fields.items()]
    should = [
        {"multi_match": {"query": text, "fields": weighted, "boost": _RARITY}},
        {"multi_match": {"query": text, "fields": weighted, "type": "phrase", "boost": _PHRASE}},
    ]
    return {"bool": {"must": must, "should": should}}


def _word(fields: Mapping[str, float], word: str, slips: bool, unfinished: bool) -> Iterator[Json]:
    for name, weight in fields.items():
        match = {"query": word, "operator": "and"}
        yield _scored(_EXACT * weight, {"match": {name: match}})
        if unfinished:
            yield _scored(_PREFIX * weight, {"match_bool_prefix": {name: match}})
        if slips:
            slip = {"fuzziness": "AUTO", "max_expansions": _SLIP_EXPANSIONS}
            yield _scored(_SLIP * weight, {"match": {name: {**match, **slip}}})


def _scored(score: float, query: Json) -> Json:
    return {"constant_score": {"filter": query, "boost": score}}


def _facet(name: str, filters: Mapping[str, Json]) -> Json:
    others = [one for other, one in filters.items() if other != name]
    return {
        "filter": {"bool": {"filter": others}},
        "aggs": {"values": {"terms": {"field": name, "size": _MOST_FACET_VALUES}}},
    }


def _highlight(search: Search) -> Json:
    return {
        "pre_tags": [MARK_START],
        "post_tags": [MARK_END],
        "number_of_fragments": 0,
        # A sub-field looks at the same text again, and its marks may be off where it reads it differently.
        "fields": {name: {} for name in search.highlights if name.rpartition(".")[0] not in search.fields},
    }


def _size(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 0 <= int(text[:9]) <= MOST_HITS:
        raise bad_request("size_out_of_range", f"The size is a whole number from 0 to {MOST_HITS}.")
    return int(text)
