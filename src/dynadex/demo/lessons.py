"""Music lessons: what the demo keeps in step, and what its players search."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

from dynadex import Search, Sync

# aa|bb|... to a|b|...: told without a back reference, which not every engine has.
_PAIR = "(?i)" + "|".join(f"({letter}){letter}" for letter in ascii_lowercase)
_ONE_OF_IT = "".join(f"${group}" for group in range(1, len(ascii_lowercase) + 1))
_WORDS = {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}

SETTINGS: dict[str, Any] = {
    "refresh_interval": "500ms",
    "analysis": {
        "char_filter": {
            "no_apostrophes": {"type": "pattern_replace", "pattern": "['’‘ʼ`]", "replacement": ""},
            "no_pairs": {"type": "pattern_replace", "pattern": _PAIR, "replacement": _ONE_OF_IT},
        },
        "analyzer": {
            "words": _WORDS,
            # The commonest slips in names are an apostrophe left out and a letter doubled or not: here oneils is
            # O'Neill's, and malow Mallow. A field of its own, for it blurs where in the text a word stood.
            "loose_words": {**_WORDS, "char_filter": ["no_apostrophes", "no_pairs"]},
        },
        "normalizer": {"caseless": {"type": "custom", "filter": ["lowercase", "asciifolding"]}},
    },
}

MAPPINGS: dict[str, Any] = {
    # An attribute that is not searched is stored, but can neither be mapped wrongly nor refuse the document.
    "dynamic": False,
    "properties": {
        "title": {
            "type": "text",
            "analyzer": "words",
            "fields": {
                "keyword": {"type": "keyword", "normalizer": "caseless", "ignore_above": 256},
                "loose": {"type": "text", "analyzer": "loose_words"},
            },
        },
        "form": {"type": "keyword"},
        "key": {"type": "keyword"},
        "metre": {"type": "keyword"},
        "difficulty": {"type": "integer"},
        "note_count": {"type": "integer"},
        "composer": {"type": "text", "analyzer": "words"},
        "collection": {"type": "keyword"},
    },
}

sync = Sync(
    table="lessons",
    index="lessons",
    mappings=MAPPINGS,
    settings=SETTINGS,
    search=Search(
        title="Music lessons",
        fields={"title": 3, "title.loose": 2, "composer": 1},
        facets=("form", "key", "metre", "difficulty", "collection"),
    ),
)

# What AWS Lambda is told to call.
stream = sync.stream
refill = sync.refill
