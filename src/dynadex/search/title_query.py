"""Title queries: a text becomes queries of a field mapped with ``dynadex.analysis.title()``.

A title matches if one of several alternatives does: most of its words were typed, each with at most a typo or two; most
of its letters were, compared in groups of three; or all of it, or its beginning, was typed with a few typos. The scores
of the alternatives that match add up. The weights were tuned with tests/relevance, with other random seeds than the
tests use.
"""

from __future__ import annotations

from typing import Any

from dynadex.analysis import BARE, GRAMS, LOOSE, START, WHOLE
from dynadex.search.tokens import max_tokens

Json = dict[str, Any]

# Fuzziness, as OpenSearch writes it: "AUTO:4,8" is one typo from four letters on, two from eight. With more, half of
# all random letter sequences would be a typo of some word.
_TYPOS_IN_WORD = "AUTO:4,8"
# A short word with a typo could be too many other words, so a single word gets fewer: it can still match as the whole
# title or its beginning.
_TYPOS_IN_SINGLE_WORD = "AUTO:6,9"
# Both ends of a whole title count as letters. Two typos in a long text cost more than the rest of the query, and its
# words and letters identify it just as well.
_TYPOS_IN_WHOLE, _TYPOS_IN_WHOLE_OF_ONE_WORD, _TYPOS_IN_LONG_WHOLE = "AUTO:4,7", "AUTO:5,9", 1
_MIN_LONG_CHARACTERS = 17
_TYPOS_IN_START = "AUTO:4,99"
# Highlighting words with two typos would take 25 % of a search's time; the title matches without it.
_TYPOS_IN_MARKED_WORD = "AUTO:4,99"
# minimum_should_match, as OpenSearch writes it.
_MIN_WORDS = "2<75%"
_MIN_GRAMS = "5<60% 10<50%"
# Some title has half of the letter groups of almost any single word, even of a random one.
_MIN_GRAMS_OF_ONE_WORD = "5<75%"
_MAX_TOKENS_WITH_TYPOS = 16
# Terms of the index that one fuzzy word, and all of a query's fuzzy words, expand to at most: a cluster allows 1,024
# clauses in a query.
_MAX_EXPANSIONS, _MAX_EXPANSIONS_OF_QUERY = 30, 240


def alternatives(field: str, text: str, weight: float, *, unfinished: bool) -> list[Json]:
    """Return the queries of which a hit must match at least one. ``unfinished``: the last word may be a prefix."""
    tokens = max(1, max_tokens(text))
    loose, start = f"{field}.{LOOSE}", f"{field}.{START}"
    some_words = {
        "query": text,
        "minimum_should_match": _MIN_WORDS,
        "fuzziness": _TYPOS_IN_WORD if tokens > 1 else _TYPOS_IN_SINGLE_WORD,
        "max_expansions": _expansions(tokens),
        "boost": 0.75 * weight,
    }
    some_grams = {
        "query": text,
        "minimum_should_match": _MIN_GRAMS if tokens > 1 else _MIN_GRAMS_OF_ONE_WORD,
        "boost": 0.75 * weight,
    }
    every_word = {"query": text, "operator": "and", "boost": 8.0 * weight}
    as_whole = {"query": text, "fuzziness": _typos_in_whole(text, tokens), "max_expansions": _MAX_EXPANSIONS}
    as_start = {"query": text, "fuzziness": _TYPOS_IN_START, "max_expansions": _MAX_EXPANSIONS}
    return [
        {"match": {loose: some_words}},
        {"match": {f"{field}.{GRAMS}": some_grams}},
        {"match_bool_prefix" if unfinished else "match": {loose: every_word}},
        constant(29.0 * weight, {"match": {f"{field}.{WHOLE}": as_whole}}),
        # All words, in any place, count nearly as much as a beginning with a typo.
        {
            "dis_max": {
                "queries": [
                    constant(12.0 * weight, {"match": {start: as_start}}),
                    constant(8.0 * weight, {"match": {loose: {"query": text, "operator": "and"}}}),
                ]
            }
        },
    ]


def preferences(field: str, text: str, weight: float) -> list[Json]:
    """Return what ranks one hit above another: exact words, and the whole title or its beginning without a typo."""
    return [
        {"match": {field: {"query": text, "boost": 0.65 * weight}}},
        constant(10.0 * weight, {"match": {f"{field}.{WHOLE}": {"query": text}}}),
        constant(45.0 * weight, {"match": {f"{field}.{BARE}": {"query": text}}}),
        constant(8.0 * weight, {"match": {f"{field}.{START}": {"query": text}}}),
    ]


def completions(field: str, text: str) -> list[Json]:
    """Return queries for titles that complete a text: they begin with it, with a typo or without, or have its words."""
    start = f"{field}.{START}"
    as_start = {"query": text, "fuzziness": _TYPOS_IN_START, "max_expansions": _MAX_EXPANSIONS}
    return [
        constant(20.0, {"match": {start: {"query": text}}}),
        constant(10.0, {"match_bool_prefix": {f"{field}.{LOOSE}": {"query": text, "operator": "and"}}}),
        constant(5.0, {"match": {start: as_start}}),
        {"match": {f"{field}.{GRAMS}": {"query": text, "minimum_should_match": "10<60%", "boost": 0.1}}},
    ]


def corrections(field: str, text: str) -> list[Json]:
    """Return queries for titles with half of the words or letters of a text that matches nothing, with more typos."""
    fuzzy = {"fuzziness": "AUTO", "max_expansions": _expansions(max(1, max_tokens(text)))}
    whole = {"query": text, "fuzziness": "AUTO", "max_expansions": _MAX_EXPANSIONS}
    return [
        {"match": {f"{field}.{LOOSE}": {"query": text, "minimum_should_match": "2<-50%", **fuzzy}}},
        {"match": {f"{field}.{GRAMS}": {"query": text, "minimum_should_match": "45%"}}},
        constant(20.0, {"match": {f"{field}.{WHOLE}": whole}}),
        constant(10.0, {"match": {f"{field}.{START}": whole}}),
    ]


def marks(field: str, text: str) -> list[Json]:
    """Return queries for the words to highlight in a title: the typed ones, with up to one typo, or unfinished."""
    fuzzy = {"fuzziness": _TYPOS_IN_MARKED_WORD, "max_expansions": 10}
    few = max_tokens(text) <= _MAX_TOKENS_WITH_TYPOS
    return [
        {"match": {field: {"query": text, **(fuzzy if few else {})}}},
        {"match_bool_prefix": {field: {"query": text}}},
    ]


def constant(score: float, query: Json) -> Json:
    """Return a query that gives all its hits the same score."""
    return {"constant_score": {"filter": query, "boost": score}}


def _expansions(tokens: int) -> int:
    return max(1, min(_MAX_EXPANSIONS, _MAX_EXPANSIONS_OF_QUERY // tokens))


def _typos_in_whole(text: str, tokens: int) -> str | int:
    if len(text) >= _MIN_LONG_CHARACTERS:
        return _TYPOS_IN_LONG_WHOLE
    return _TYPOS_IN_WHOLE if tokens > 1 else _TYPOS_IN_WHOLE_OF_ONE_WORD
