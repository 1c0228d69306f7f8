"""Text analysis for names and titles: finds them despite misspellings, missing words and different spellings.

Examples:
    >>> from dynadex import Sync, Search, analysis
    >>> sync = Sync(
    ...     table="songs",
    ...     index="songs",
    ...     settings={"analysis": analysis.settings()},
    ...     mappings={"properties": {"title": analysis.title()}},
    ...     search=Search(fields={"title": 1}),
    ... )

A field mapped with ``title()`` has sub-fields, each of which analyzes the text in another way; the search service
recognizes and uses them (see docs/how-to/search.md). All of them ignore case, accents, punctuation and apostrophes,
read an ampersand as "and", treat ä, a and ae (and the other umlauts) as the same letter, and a doubled letter as a
single one. They need no plugin. Character filters do all of this before the text is cut into words, because
osmem-server, the in-memory engine of the local stack, silently ignores several token filters.
"""

from __future__ import annotations

from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from unicodedata import normalize

# Sub-fields of title(). A search field with all of them is a title field: its search tolerates misspellings.
KEYWORD, LOOSE, GRAMS, WHOLE, BARE, START = "keyword", "loose", "grams", "whole", "bare", "start"
SUB_FIELDS = (KEYWORD, LOOSE, GRAMS, WHOLE, BARE, START)

ARTICLES = ("the", "a", "an", "der", "die", "das", "ein", "eine", "le", "la", "les")
# Ignored like articles, so that "The Rakes of Mallow", "Rakes o' Mallow" and "rakes mallow" are equal.
_SMALL_WORDS = ("of", "o")
_NUMBERS = {
    "two|ii": "2", "three|iii": "3", "four|iv": "4", "five": "5", "six|vi": "6", "seven|vii": "7", "eight|viii": "8",
    "nine|ix": "9", "ten": "10", "eleven|xi": "11", "twelve|xii": "12",
}  # fmt: skip
# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = {
    "ß": "s", "ẞ": "s", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ð": "d",
    "Ð": "d", "þ": "th", "Þ": "th", "ł": "l", "Ł": "l", "ı": "i",
}  # fmt: skip
# Apostrophes in all their forms, and accents written as separate (combining) characters.
_DROPPED = "['’‘ʼ`´\u0300-\u036f]"
_LATIN = range(0xC0, 0x180)
# aa|bb|... becomes a|b|...: written without back references, which not every engine supports.
_PAIR = "|".join(f"({letter}){letter}" for letter in ascii_lowercase)
_SINGLE = "".join(f"${group}" for group in range(1, len(ascii_lowercase) + 1))
_GAP = r"[^\p{L}\p{N}]+"
# Maximum length of an indexed prefix, in characters; the text of a query is cut to it, too.
_MAX_START = 30


def settings(articles: tuple[str, ...] = ARTICLES) -> dict[str, Any]:
    """Return the value of ``analysis`` in the settings of an index. You can add your own analyzers to it.

    Args:
        articles: Lowercase words that a query may omit from a title or add to it, such as "the".

    Returns:
        Character filters, tokenizers, filters, analyzers and a normalizer, whose names start with ``dynadex_``.
    """
    return {
        "char_filter": _char_filters((*articles, *_SMALL_WORDS)),
        "tokenizer": {"dynadex_grams": {"type": "ngram", "min_gram": 3, "max_gram": 3}},
        "filter": {"dynadex_starts": {"type": "edge_ngram", "min_gram": 1, "max_gram": _MAX_START}},
        "analyzer": _analyzers(),
        "normalizer": {"dynadex_caseless": {"type": "custom", "filter": ["lowercase", "asciifolding"]}},
    }


def words(**parameters: Any) -> dict[str, Any]:
    """Return the mapping of a text field that ignores case and accents, for fields other than the title.

    Args:
        **parameters: Further mapping parameters, for example ``fields``.

    Returns:
        A field mapping, for ``mappings={"properties": {NAME: ...}}``.
    """
    return {"type": "text", "analyzer": "dynadex_words", **parameters}


def title(**more_fields: Any) -> dict[str, Any]:
    """Return the mapping of a name or a title: a text field whose search tolerates misspellings.

    Args:
        **more_fields: Mappings of further sub-fields by name.

    Returns:
        A field mapping, for ``mappings={"properties": {NAME: ...}}``. Its sub-field ``keyword`` serves to sort.
    """
    bare = {"type": "text", "norms": False, "index_options": "docs"}
    return words(
        fields={
            KEYWORD: {"type": "keyword", "normalizer": "dynadex_caseless", "ignore_above": 256},
            # The number of times that a word occurs in a title does not matter.
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


def _char_filters(ignored_words: tuple[str, ...]) -> dict[str, Any]:
    # In neue, Frauen and Quelle, ue is not an umlaut. The longest rule that matches applies.
    umlauts = [*(f"{before}ue => {before}ue" for before in "aeioq"), "ae => a", "oe => o", "ue => u"]
    return {
        "dynadex_dropped": _replace(_DROPPED, ""),
        "dynadex_ampersand": _replace("&", " and "),
        # osmem-server applies mapping filters last, regardless of their position, so patterns ignore case.
        "dynadex_letters": {"type": "mapping", "mappings": list(_letters())},
        "dynadex_umlauts": {"type": "mapping", "mappings": umlauts},
        "dynadex_pairs": _replace(f"(?i){_PAIR}", _SINGLE),
        **{f"dynadex_{digits}": _replace(rf"(?i)\b(?:{names})\b", digits) for names, digits in _NUMBERS.items()},
        "dynadex_gaps": _replace(_GAP, "_"),
        # Two underscores, so that each word has a separate pair: otherwise the second of two articles would remain.
        "dynadex_wide_gaps": _replace(_GAP, "__"),
        "dynadex_trim": _replace("^_+|_+$", ""),
        # Marks of the start and the end; two filters, because some engines read "_$1_" as a group named 1_.
        "dynadex_before": _replace("^", "_"),
        "dynadex_after": _replace("$", "_"),
        "dynadex_articles": _replace(f"(?i)_({'|'.join(ignored_words)})_", ""),
        "dynadex_cut": _replace(f"^(.{{{_MAX_START}}}).*$", "$1"),
    }


def _letters() -> Iterator[str]:
    """Rules that make each Latin letter lowercase and remove its marks."""
    yield from (f"{capital} => {capital.lower()}" for capital in ascii_uppercase)
    yield from (f"{letter} => {base}" for letter, base in _LETTERS.items())
    for letter in map(chr, _LATIN):
        base = "".join(part for part in normalize("NFKD", letter) if part.isascii() and part.isalpha()).lower()
        if base and letter not in _LETTERS:
            yield f"{letter} => {base}"


def _analyzers() -> dict[str, Any]:
    letters = ["dynadex_dropped", "dynadex_ampersand", "dynadex_letters", "dynadex_umlauts", "dynadex_pairs"]
    whole = ["dynadex_gaps", "dynadex_trim"]
    ends = ["dynadex_before", "dynadex_after"]
    numbers = [f"dynadex_{digits}" for digits in _NUMBERS.values()]

    def custom(tokenizer: str, *char_filters: str, filters: tuple[str, ...] = ()) -> dict[str, Any]:
        # Token filters handle the letter cases of scripts other than Latin.
        token_filters = ["lowercase", "asciifolding", *filters]
        return {"type": "custom", "char_filter": list(char_filters), "tokenizer": tokenizer, "filter": token_filters}

    return {
        "dynadex_words": custom("standard"),
        "dynadex_loose": custom("standard", *letters[:3], *numbers, "dynadex_umlauts", "dynadex_pairs"),
        # Marked twice, so that the start and the end of a title differ from those of a word.
        "dynadex_grams": custom("dynadex_grams", *letters, *whole, *ends, *ends),
        "dynadex_whole": custom("keyword", *letters, *whole, *ends),
        "dynadex_bare": custom("keyword", *letters, "dynadex_wide_gaps", "dynadex_trim", *ends, "dynadex_articles"),
        "dynadex_starts": custom("keyword", *letters, *whole, filters=("dynadex_starts",)),
        "dynadex_start": custom("keyword", *letters, *whole, "dynadex_cut"),
    }
