"""Hypothesis strategies for items of unusual tables."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st

# 1 for the full length of `make stranger`.
SCALE = float(os.environ.get("STRANGER_SCALE", "0.1"))
# Placeholders that `enlarged` replaces with long texts, so that failures print short ones.
LONG = {"long": "x" * 40_000, "long and wide": "\u00e9" * 20_000}
_NAMES = st.sampled_from(
    ("a", "b", "a.b", "a.b.c", "title", "Title", "_id", "_source", ".", "..a", "a.", "q", "size", "relevance", "status",
     'quo"te', "back\\slash", "line\nbreak", "ünï", " ", "$name", "{brace}", "class", "0")
) | st.text("ab", min_size=1, max_size=3)  # fmt: skip
_TEXTS = st.sampled_from(
    ("", "x", "one two", "2026-01-31", "2026-01-31T12:00:00Z", "2026-13-41", "5", "true", "a@example.org", "word " * 90,
     *LONG, "127.0.0.1")
)  # fmt: skip
_NUMBERS = st.sampled_from(
    ("0", "-1", "1.5", "9223372036854775807", "9223372036854775808", "1E+125", "-1E-130", "9" * 38)
)
_BINARY = st.sampled_from(("", "AAEC"))
_SCALARS = st.one_of(
    _TEXTS.map(lambda text: {"S": text}),
    _NUMBERS.map(lambda number: {"N": number}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    _BINARY.map(lambda content: {"B": content}),
    st.lists(_TEXTS, min_size=1, max_size=3, unique=True).map(lambda texts: {"SS": texts}),
    st.lists(_NUMBERS, min_size=1, max_size=3, unique=True).map(lambda numbers: {"NS": numbers}),
)
_VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: {"L": parts})
        | st.dictionaries(_NAMES, inner, max_size=4).map(lambda parts: {"M": parts})
    ),
    max_leaves=8,
)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw up to 12 items with the key ``id``, most of whose attribute names recur."""
    items = draw(st.lists(st.dictionaries(_NAMES, _VALUES, max_size=5), max_size=12))
    return [{**item, "id": {"S": str(number)}} for number, item in enumerate(items)]


def enlarged(value: Any) -> Any:
    """Return the value with placeholders replaced by long texts."""
    if isinstance(value, dict):
        return {name: enlarged(part) for name, part in value.items()}
    if isinstance(value, list):
        return [enlarged(part) for part in value]
    return LONG.get(value, value) if isinstance(value, str) else value
