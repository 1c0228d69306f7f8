"""How fields with any analysis are searched, each word in all of them: pure.

Every word must be found in one of the fields: as it is, as the beginning of a word if it is the last (people search
while they type), or with a slip. These three count so differently that a better kind of match always wins; among
equals the words' rarity and the field's length decide, as usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynadex.search.title_query import constant
from dynadex.search.tokens import max_tokens

Json = dict[str, Any]
Fields = Mapping[str, float]

_EXACT, _PREFIX, _SLIP, _PHRASE, _RARITY = 12.0, 8.0, 4.0, 1.0, 0.1
_SLIPS = "AUTO:4,8"
# A slip expands to so many words of the index at most, and all of a query's to so many: a cluster allows 1,024 clauses.
_SLIP_EXPANSIONS, _ALL_EXPANSIONS = 20, 500
MAX_TOKENS_WITH_SLIPS = 8
# Fields times words: beyond, a text is taken as pasted.
MAX_LOOKED_FOR = 100
_MAX_CLAUSES = 800


def every_word(
    fields: Fields, wanted: Sequence[str], *, unfinished: bool, max_with_slips: int = MAX_TOKENS_WITH_SLIPS
) -> Json:
    """Hits have all the words, in whichever of the fields; with slips if there are few enough of them."""
    tokens = max_tokens(" ".join(wanted))
    expansions = min(_SLIP_EXPANSIONS, _ALL_EXPANSIONS // max(1, len(fields) * tokens))
    slips = expansions if tokens <= max_with_slips else 0
    last = len(wanted) - 1
    return {
        "bool": {
            "must": [
                {"dis_max": {"queries": list(_word(fields, word, slips, unfinished and place == last))}}
                for place, word in enumerate(wanted)
            ]
        }
    }


def preferences(fields: Fields, text: str) -> list[Json]:
    """What makes one hit better than another: rare words, and words that stand together."""
    weighted = _weighted(fields)
    return [
        {"multi_match": {"query": text, "fields": weighted, "boost": _RARITY}},
        {"multi_match": {"query": text, "fields": weighted, "type": "phrase", "boost": _PHRASE}},
    ]


def pasted(fields: Fields, text: str) -> Json:
    """A search for a long text, of which only a beginning counts: no slips in it, but most of its words."""
    cut = text[: _MAX_CLAUSES // len(fields)]
    return {"multi_match": {"query": cut, "fields": _weighted(fields), "minimum_should_match": "75%"}}


def _weighted(fields: Fields) -> list[str]:
    return [f"{name}^{weight}" for name, weight in fields.items()]


def _word(fields: Fields, word: str, slips: int, unfinished: bool) -> Iterator[Json]:
    for name, weight in fields.items():
        match = {"query": word, "operator": "and"}
        yield constant(_EXACT * weight, {"match": {name: match}})
        if unfinished:
            yield constant(_PREFIX * weight, {"match_bool_prefix": {name: match}})
        if slips:
            slip = {"fuzziness": _SLIPS, "max_expansions": slips}
            yield constant(_SLIP * weight, {"match": {name: {**match, **slip}}})
