"""Music lessons: what the demo keeps in step, and what its players search."""

from __future__ import annotations

from typing import Any

from dynadex import Search, Sync, analysis

SETTINGS: dict[str, Any] = {"refresh_interval": "500ms", "analysis": analysis.settings()}

MAPPINGS: dict[str, Any] = {
    # An attribute that is not searched is stored, but can neither be mapped wrongly nor refuse the document.
    "dynamic": False,
    "properties": {
        # The key tells documents apart where one page of a search ends and the next begins.
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
