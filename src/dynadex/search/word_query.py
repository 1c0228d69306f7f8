"""Word queries: the words of a text become a query that finds each of them in one of several fields.

This is how fields with any analysis are searched. Every word must match in one of the fields: exactly, as a prefix if
it is the last word (people search while they type), or with a typo. The scores of these three are so far apart that a
better kind of match always ranks first; among equals, the rarity of the words and the length of the field decide, as
usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynadex.search.title_query import constant
from dynadex.search.tokens import max_tokens

Json = dict[str, Any]
Fields = Mapping[str, float]

_EXACT, _PREFIX, _TYPO, _PHRASE, _RARITY = 12.0, 8.0, 4.0, 1.0, 0.1
_TYPOS = "AUTO:4,8"
# Terms of the index that one fuzzy word, and all of a query's fuzzy words, expand to at most: a cluster allows 1,024
# clauses in a query.
_MAX_EXPANSIONS, _MAX_EXPANSIONS_OF_QUERY = 20, 500
MAX_TOKENS_WITH_TYPOS = 8
# Fields times tokens. A text with more counts as pasted.
MAX_FIELD_TOKENS = 100
_MAX_CLAUSES = 800


def every_word(
    fields: Fields, words: Sequence[str], *, unfinished: bool, max_tokens_with_typos: int = MAX_TOKENS_WITH_TYPOS
) -> Json:
    """Return a query for documents that have all the words, each in any of the fields.

    ``unfinished``: the last word may be a prefix. Typos are allowed up to ``max_tokens_with_typos`` tokens.
    """
    tokens = max_tokens(" ".join(words))
    expansions = min(_MAX_EXPANSIONS, _MAX_EXPANSIONS_OF_QUERY // max(1, len(fields) * tokens))
    typo_expansions = expansions if tokens <= max_tokens_with_typos else 0
    last = len(words) - 1
    return {
        "bool": {
            "must": [
                {"dis_max": {"queries": list(_one_word(fields, word, typo_expansions, unfinished and place == last))}}
                for place, word in enumerate(words)
            ]
        }
    }


def preferences(fields: Fields, text: str) -> list[Json]:
    """Return what ranks one hit above another: rare words, and words that stand together."""
    weighted = _weighted(fields)
    return [
        {"multi_match": {"query": text, "fields": weighted, "boost": _RARITY}},
        {"multi_match": {"query": text, "fields": weighted, "type": "phrase", "boost": _PHRASE}},
    ]


def pasted(fields: Fields, text: str) -> Json:
    """Return a query for a long text: most words of its beginning must match, without typos."""
    beginning = text[: _MAX_CLAUSES // len(fields)]
    return {"multi_match": {"query": beginning, "fields": _weighted(fields), "minimum_should_match": "75%"}}


def _weighted(fields: Fields) -> list[str]:
    return [f"{name}^{weight}" for name, weight in fields.items()]


def _one_word(fields: Fields, word: str, typo_expansions: int, unfinished: bool) -> Iterator[Json]:
    for name, weight in fields.items():
        match = {"query": word, "operator": "and"}
        yield constant(_EXACT * weight, {"match": {name: match}})
        if unfinished:
            yield constant(_PREFIX * weight, {"match_bool_prefix": {name: match}})
        if typo_expansions:
            fuzzy = {"fuzziness": _TYPOS, "max_expansions": typo_expansions}
            yield constant(_TYPO * weight, {"match": {name: {**match, **fuzzy}}})
