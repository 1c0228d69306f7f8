"""Tokens: a typed text becomes its words, and an upper bound of the tokens that an analyzer makes of it."""

from __future__ import annotations

import re
import unicodedata

_WORD_CHARACTERS = re.compile(r"\w+")
# From Thai on, scripts are written without spaces, and a tokenizer may emit each character as a token.
_FIRST_UNSPACED = "\u0e00"
# A longer text was pasted rather than typed, and a cluster allows at most 1,024 clauses in a query.
_MAX_TYPED_CHARACTERS, _MAX_TYPED_TOKENS = 160, 16


def words(q: str) -> list[str]:
    """Return the words of a query: its parts between spaces that are more than punctuation."""
    return [word for word in q.split() if any(_is_token_character(character) for character in word)]


def max_tokens(text: str) -> int:
    """Return a number of tokens that no analyzer exceeds for this text."""
    return len(_WORD_CHARACTERS.findall(text)) + sum(character >= _FIRST_UNSPACED for character in text)


def is_short(text: str) -> bool:
    """Return whether a text is short enough to have been typed, so that typos in it can be searched for."""
    return len(text) <= _MAX_TYPED_CHARACTERS and max_tokens(text) <= _MAX_TYPED_TOKENS


def _is_token_character(character: str) -> bool:
    """Return whether a tokenizer keeps the character: a letter, digit, combining mark, or symbol such as an emoji."""
    return unicodedata.category(character)[0] in "LNM" or unicodedata.category(character) == "So"
