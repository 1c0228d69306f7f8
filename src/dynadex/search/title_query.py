"""How a field mapped with dynadex.analysis.title() is searched: pure.

A title is a hit if it passes one of several gates: most of its words were typed, each with a slip at most; most of
its letters were, three by three; the whole of it, or its beginning, was typed with a slip or two. All that it passes
adds up. The weights were found with tests/relevance, with other random numbers than those that it is tested with.
"""

from __future__ import annotations

from typing import Any

from dynadex.analysis import BARE, GRAMS, LOOSE, START, WHOLE
from dynadex.search.tokens import max_tokens

Json = dict[str, Any]

# One slip from four letters on, two from eight: with more, half of all random letters would be a slip of something.
_SLIPS_IN_WORD = "AUTO:4,8"
# Alone, a short word with a slip could be too many others: that is for its being the whole title, or its beginning.
_SLIPS_IN_SINGLE_WORD = "AUTO:6,9"
# Of a whole title, both ends count as letters. Finding two slips in a long text costs more than all the rest, and its
# words and letters tell it as well.
_SLIPS_IN_WHOLE, _SLIPS_IN_WHOLE_OF_ONE_WORD, _SLIPS_IN_LONG_WHOLE, _LONG = "AUTO:4,7", "AUTO:5,9", 1, 16
_SLIPS_IN_START = "AUTO:4,99"
# Looking for two slips to mark would take a quarter of a search, and such a word is found all the same.
_SLIPS_IN_MARKED_WORD = "AUTO:4,99"
_MAX_WORDS = "2<75%"
_MAX_GRAMS = "5<60% 10<50%"
# Half of the letters of a single word are soon in some title: of random letters, too.
_MAX_GRAMS_OF_ONE_WORD = "5<75%"
# A slip expands to so many words of the index at most, and all words together to so many: a cluster allows a query
# of 1,024 clauses.
_MAX_WORDS_WITH_SLIPS = 16
_EXPANSIONS, _ALL_EXPANSIONS = 30, 240


def gates(field: str, text: str, weight: float, *, unfinished: bool) -> list[Json]:
    """Of these, a hit has to pass one."""
    tokens = max(1, max_tokens(text))
    expansions = max(1, min(_EXPANSIONS, _ALL_EXPANSIONS // tokens))
    loose, start = f"{field}.{LOOSE}", f"{field}.{START}"
    in_words = {
        "minimum_should_match": _MAX_WORDS,
        "fuzziness": _SLIPS_IN_WORD if tokens > 1 else _SLIPS_IN_SINGLE_WORD,
        "max_expansions": expansions,
    }
    every_word = {"match_bool_prefix" if unfinished else "match": {loose: _all_of(text, 8.0 * weight)}}
    as_start = {"query": text, "fuzziness": _SLIPS_IN_START, "max_expansions": _EXPANSIONS}
    as_whole = {"query": text, "fuzziness": _slips_in_whole(text, tokens), "max_expansions": _EXPANSIONS}
    max_grams = _MAX_GRAMS if tokens > 1 else _MAX_GRAMS_OF_ONE_WORD
    return [
        {"match": {loose: {"query": text, **in_words, "boost": 0.75 * weight}}},
        {"match": {f"{field}.{GRAMS}": {"query": text, "minimum_should_match": max_grams, "boost": 0.75 * weight}}},
        every_word,
        constant(29.0 * weight, {"match": {f"{field}.{WHOLE}": as_whole}}),
        # All the words, wherever they stand, are worth nearly as much as a beginning with a slip.
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
    """What makes one hit better than another."""
    return [
        {"match": {field: {"query": text, "boost": 0.65 * weight}}},
        constant(10.0 * weight, {"match": {f"{field}.{WHOLE}": {"query": text}}}),
        constant(45.0 * weight, {"match": {f"{field}.{BARE}": {"query": text}}}),
        constant(8.0 * weight, {"match": {f"{field}.{START}": {"query": text}}}),
    ]


def completions(field: str, text: str) -> list[Json]:
    """What a text being typed may become: it starts so, has such words, or starts so but for a slip."""
    start = f"{field}.{START}"
    return [
        constant(20.0, {"match": {start: {"query": text}}}),
        constant(10.0, {"match_bool_prefix": {f"{field}.{LOOSE}": {"query": text, "operator": "and"}}}),
        constant(5.0, {"match": {start: {"query": text, "fuzziness": _SLIPS_IN_START, "max_expansions": _EXPANSIONS}}}),
        {"match": {f"{field}.{GRAMS}": {"query": text, "minimum_should_match": "10<60%", "boost": 0.1}}},
    ]


def guesses(field: str, text: str) -> list[Json]:
    """What a text that finds nothing may have meant: half of its words or letters, with more slips in them."""
    tokens = max(1, max_tokens(text))
    slips = {"fuzziness": "AUTO", "max_expansions": max(1, min(_EXPANSIONS, _ALL_EXPANSIONS // tokens))}
    whole = {"query": text, "fuzziness": "AUTO", "max_expansions": _EXPANSIONS}
    return [
        {"match": {f"{field}.{LOOSE}": {"query": text, "minimum_should_match": "2<-50%", **slips}}},
        {"match": {f"{field}.{GRAMS}": {"query": text, "minimum_should_match": "45%"}}},
        constant(20.0, {"match": {f"{field}.{WHOLE}": whole}}),
        constant(10.0, {"match": {f"{field}.{START}": whole}}),
    ]


def marks(field: str, text: str) -> list[Json]:
    """What to mark in a hit: the words typed, with one slip or unfinished."""
    slips = {"fuzziness": _SLIPS_IN_MARKED_WORD, "max_expansions": 10}
    few = max_tokens(text) <= _MAX_WORDS_WITH_SLIPS
    return [
        {"match": {field: {"query": text, **(slips if few else {})}}},
        {"match_bool_prefix": {field: {"query": text}}},
    ]


def constant(score: float, query: Json) -> Json:
    """A query whose hits all have the same score."""
    return {"constant_score": {"filter": query, "boost": score}}


def _slips_in_whole(text: str, tokens: int) -> str | int:
    if len(text) > _LONG:
        return _SLIPS_IN_LONG_WHOLE
    return _SLIPS_IN_WHOLE if tokens > 1 else _SLIPS_IN_WHOLE_OF_ONE_WORD


def _all_of(text: str, boost: float) -> Json:
    return {"query": text, "operator": "and", "boost": boost}
