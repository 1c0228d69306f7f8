"""Ready-made text analysis for names and titles, as people remember and type them.

>>> from dynadex import Sync, Search, analysis
>>> sync = Sync(
...     table="songs",
...     index="songs",
...     settings={"analysis": analysis.settings()},
...     mappings={"properties": {"title": analysis.title()}},
...     search=Search(fields={"title": 1}),
... )

A field mapped so has sub-fields, each of which reads the text in another way; the search service recognises and uses
them (see docs/how-to/search.md). What they have in common: case, accents, punctuation and apostrophes do not count;
an ampersand is "and"; ä is a is ae, and so are the other umlauts; a doubled letter is one letter. Nothing here needs
more than OpenSearch itself brings along. All of it is done to characters, before words are made: what the embedded
server has of filters for words is less than what it says it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from unicodedata import normalize

# The sub-fields that title() makes: a search field that has all of them is searched forgivingly.
KEYWORD, LOOSE, GRAMS, WHOLE, BARE, START = "keyword", "loose", "grams", "whole", "bare", "start"
SUB_FIELDS = (KEYWORD, LOOSE, GRAMS, WHOLE, BARE, START)

ARTICLES = ("the", "a", "an", "der", "die", "das", "ein", "eine", "le", "la", "les")
# Left out with the articles: The Rakes of Mallow, Rakes o' Mallow, rakes mallow.
_SMALL_WORDS = ("of", "o")
_NUMBERS = {
    "two|ii": "2", "three|iii": "3", "four|iv": "4", "five": "5", "six|vi": "6", "seven|vii": "7", "eight|viii": "8",
    "nine|ix": "9", "ten": "10", "eleven|xi": "11", "twelve|xii": "12",
}  # fmt: skip
# Letters that are no base letter with a mark.
_LETTERS = {
    "ß": "s", "ẞ": "s", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ð": "d",
    "Ð": "d", "þ": "th", "Þ": "th", "ł": "l", "Ł": "l", "ı": "i",
}  # fmt: skip
# Apostrophes in all their forms, and accents that were written as characters of their own.
_DROPPED = "['’‘ʼ`´\u0300-\u036f]"
_LATIN = range(0xC0, 0x180)
# aa|bb|... to a|b|...: told without a back reference, which not every engine has.
_PAIR = "|".join(f"({letter}){letter}" for letter in ascii_lowercase)
_ONE_OF_IT = "".join(f"${group}" for group in range(1, len(ascii_lowercase) + 1))
_GAP = r"[^\p{L}\p{N}]+"
# Beginnings are kept up to so many characters; what is typed is cut there, too.
_MAX_START = 30


def settings(articles: tuple[str, ...] = ARTICLES) -> dict[str, Any]:
    """What belongs under ``analysis`` in an index's settings; add analyzers of your own to it as you like.

    ``articles``: the words, in lower case, that a title may be called by with or without.
    """
    return {
        "char_filter": _char_filters((*articles, *_SMALL_WORDS)),
        "tokenizer": {"dynadex_grams": {"type": "ngram", "min_gram": 3, "max_gram": 3}},
        "filter": {"dynadex_starts": {"type": "edge_ngram", "min_gram": 1, "max_gram": _MAX_START}},
        "analyzer": _analyzers(),
        "normalizer": {"dynadex_caseless": {"type": "custom", "filter": ["lowercase", "asciifolding"]}},
    }


def words(**more: Any) -> dict[str, Any]:
    """The mapping of a text whose case and accents do not count: for fields beside the title."""
    return {"type": "text", "analyzer": "dynadex_words", **more}


def title(**more_fields: Any) -> dict[str, Any]:
    """The mapping of a name or a title, with a sub-field ``keyword`` to sort by; ``more_fields`` are added to them."""
    bare = {"type": "text", "norms": False, "index_options": "docs"}
    return words(
        fields={
            KEYWORD: {"type": "keyword", "normalizer": "dynadex_caseless", "ignore_above": 256},
            # How often a word stands in a title says nothing about it.
            LOOSE: {"type": "text", "index_options": "docs", "analyzer": "dynadex_loose"},
            GRAMS: {"type": "text", "analyzer": "dynadex_grams"},
            WHOLE: {**bare, "analyzer": "dynadex_whole"},
            BARE: {**bare, "analyzer": "dynadex_bare"},
            START: {**bare, "analyzer": "dynadex_starts", "search_analyzer": "dynadex_start"},
            **more_fields,
        }
    )


def _replace(pattern: str, replacement: str) -> dict[str, str]:
    return {"type": "pattern_replace", "pattern": pattern, "replacement": replacement}


def _char_filters(left_out: tuple[str, ...]) -> dict[str, Any]:
    # In neue, Frauen and Quelle, ue is no umlaut: the longest rule that fits is taken.
    umlauts = [*(f"{before}ue => {before}ue" for before in "aeioq"), "ae => a", "oe => o", "ue => u"]
    return {
        "dynadex_dropped": _replace(_DROPPED, ""),
        "dynadex_ampersand": _replace("&", " and "),
        # The embedded server does this last, wherever it stands; so no pattern tells capitals from small letters.
        "dynadex_letters": {"type": "mapping", "mappings": list(_letters())},
        "dynadex_umlauts": {"type": "mapping", "mappings": umlauts},
        "dynadex_pairs": _replace(f"(?i){_PAIR}", _ONE_OF_IT),
        **{f"dynadex_{digits}": _replace(rf"(?i)\b(?:{names})\b", digits) for names, digits in _NUMBERS.items()},
        "dynadex_gaps": _replace(_GAP, "_"),
        # Each word between underscores of its own, or of two articles in a row the second would stay.
        "dynadex_wide_gaps": _replace(_GAP, "__"),
        "dynadex_trim": _replace("^_+|_+$", ""),
        # What is before and after a title; told apart, since "_$1_" is a group called 1_ to some engines.
        "dynadex_before": _replace("^", "_"),
        "dynadex_after": _replace("$", "_"),
        "dynadex_articles": _replace(f"(?i)_({'|'.join(left_out)})_", ""),
        "dynadex_cut": _replace(f"^(.{{{_MAX_START}}}).*$", "$1"),
    }


def _letters() -> Iterator[str]:
    """Each letter as it is compared: small, and without marks."""
    yield from (f"{capital} => {capital.lower()}" for capital in ascii_uppercase)
    yield from (f"{letter} => {base}" for letter, base in _LETTERS.items())
    for letter in map(chr, _LATIN):
        base = "".join(one for one in normalize("NFKD", letter) if one.isascii() and one.isalpha()).lower()
        if base and letter not in _LETTERS:
            yield f"{letter} => {base}"


def _analyzers() -> dict[str, Any]:
    letters = ["dynadex_dropped", "dynadex_ampersand", "dynadex_letters", "dynadex_umlauts", "dynadex_pairs"]
    whole = ["dynadex_gaps", "dynadex_trim"]
    ends = ["dynadex_before", "dynadex_after"]
    numbers = [f"dynadex_{digits}" for digits in _NUMBERS.values()]

    def custom(tokenizer: str, *char_filters: str, filters: tuple[str, ...] = ()) -> dict[str, Any]:
        # What other scripts than the Latin one have of cases is left to the filters.
        every = ["lowercase", "asciifolding", *filters]
        return {"type": "custom", "char_filter": list(char_filters), "tokenizer": tokenizer, "filter": every}

    return {
        "dynadex_words": custom("standard"),
        "dynadex_loose": custom("standard", *letters[:3], *numbers, "dynadex_umlauts", "dynadex_pairs"),
        # Ends twice, so that the beginning and the end of a title differ from those of a word.
        "dynadex_grams": custom("dynadex_grams", *letters, *whole, *ends, *ends),
        "dynadex_whole": custom("keyword", *letters, *whole, *ends),
        "dynadex_bare": custom("keyword", *letters, "dynadex_wide_gaps", "dynadex_trim", *ends, "dynadex_articles"),
        "dynadex_starts": custom("keyword", *letters, *whole, filters=("dynadex_starts",)),
        "dynadex_start": custom("keyword", *letters, *whole, "dynadex_cut"),
    }
