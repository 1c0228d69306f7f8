"""What is in a text that was typed: pure."""

from __future__ import annotations

import re
import unicodedata

_RUN = re.compile(r"\w+")
# From Thai on, scripts are written without spaces, and a tokenizer may make a word of each character.
_UNSPACED = "\u0e00"


def words(q: str) -> list[str]:
    """The words of a query: whatever is between spaces and is more than punctuation."""
    return [word for word in q.split() if any(_is_letter(one) for one in word)]


def max_tokens(text: str) -> int:
    """At least as many as any analyzer makes of the text."""
    return len(_RUN.findall(text)) + sum(one >= _UNSPACED for one in text)


def _is_letter(one: str) -> bool:
    """Letters, digits, marks and the like, and symbols such as a note or a violin: what a tokenizer keeps."""
    return unicodedata.category(one)[0] in "LNM" or unicodedata.category(one) == "So"
