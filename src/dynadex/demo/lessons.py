"""The Sync of the demo: a table of music lessons and its index."""

from __future__ import annotations

from typing import Any

from dynadex import Search, Sync, analysis

SETTINGS: dict[str, Any] = {"refresh_interval": "500ms", "analysis": analysis.settings()}

MAPPINGS: dict[str, Any] = {
    # Other attributes are stored but not mapped, so that none of them can cause a mapping conflict.
    "dynamic": False,
    "properties": {
        # The key is the tiebreaker of the sort order between two pages of a search.
        "id": {"type": "keyword"},
        "title": analysis.title(),
        "form": {"type": "keyword"},
        "key": {"type": "keyword"},
        "metre": {"type": "keyword"},
        "difficulty": {"type": "integer"},
        "note_count": {"type": "integer"},
        "composer": analysis.words(),
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
        fields={"title": 3, "composer": 1},
        facets=("form", "key", "metre", "difficulty", "collection"),
        sorts={"title": "title.keyword", "easiest": "difficulty", "hardest": "-difficulty", "shortest": "note_count"},
        suggest="title",
        version="version",
    ),
)
