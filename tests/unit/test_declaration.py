"""Checks of a declaration: what contradicts itself is rejected, with a message that names the remedy."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any

import pytest

from dynadex import Search, Sync, analysis
from dynadex.declaration import seconds
from dynadex.errors import DeclarationError

TITLE = {"title": {"type": "text"}}


def declare(**changed: Any) -> Sync:
    return Sync(**{"table": "songs", "index": "songs", **changed})


async def coroutine(item: Any) -> Any:
    return item


# The declaration, words of the reason, words of the hint.
CONTRADICTIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a table name too short": ({"table": "ab"}, "'ab'", "3 to 255"),
    "a table name too long": ({"table": "a" * 256}, "not a valid table name", "3 to 255"),
    "a table name with a space": ({"table": "my songs"}, "'my songs'", "a-z A-Z 0-9"),
    "a table name that ends a line": ({"table": "songs\n"}, "not a valid table name", "a-z A-Z 0-9"),
    "no table name": ({"table": None}, "None", "3 to 255"),
    "an index name in capitals": ({"index": "Songs"}, "'Songs'", "lowercase"),
    "an index name that starts with a sign": ({"index": "-songs"}, "'-songs'", "starting with a letter"),
    "an index name that starts with a dot": ({"index": ".songs"}, "'.songs'", "starting with a letter"),
    "an index name that is a folder": ({"index": ".."}, "'..'", "starting with a letter"),
    "an index name with a star": ({"index": "songs*"}, "'songs*'", "letters, digits"),
    "no index name": ({"index": ""}, "''", "lowercase"),
    "an index name too long": ({"index": "s" * 235}, "longer than 234 characters", "Shorten it"),
    "an index name of a sync alias": ({"index": "songs-sync"}, "names that end in -sync", "another name"),
    "mappings with their key": (
        {"mappings": {"mappings": {}}},
        "body of a create-index call",
        "the value of the key mappings",
    ),
    "mappings with settings": (
        {"mappings": {"settings": {}, "properties": {}}},
        "create-index",
        "the value of the key mappings",
    ),
    "a source switched off": (
        {"mappings": {"_source": {"enabled": False}}},
        "_source is disabled",
        "Remove _source",
    ),
    "a source cut by includes": ({"mappings": {"_source": {"includes": ["a"]}}}, "_source is", "Remove _source"),
    "a source cut by excludes": ({"mappings": {"_source": {"excludes": ["a"]}}}, "_source is", "Remove _source"),
    "routing": ({"mappings": {"_routing": {"required": True}}}, "_routing is required", "Remove _routing"),
    "properties as a list": ({"mappings": {"properties": []}}, "properties is not an object", "{field: {type: ...}}"),
    "no properties": ({"mappings": {"properties": None}}, "properties is not an object", "{field: {type: ...}}"),
    "a field as its type": ({"mappings": {"properties": {"title": "text"}}}, "field title is not an object", "'type'"),
    "an inner field as its type": (
        {"mappings": {"properties": {"by": {"properties": {"name": "text"}}}}},
        "field by.name is not",
        "{'name': {'type'",
    ),
    "a sub-field as its type": (
        {"mappings": {"properties": {"title": {"type": "text", "fields": {"raw": "keyword"}}}}},
        "title.raw",
        "{'raw'",
    ),
    "mappings without a JSON form": (
        {"mappings": {"properties": {"a": {"type": {1, 2}}}}},
        "no JSON form: set",
        "",
    ),
    "settings with mappings": ({"settings": {"mappings": {}}}, "the settings contain mappings", "Remove mappings"),
    "settings with aliases": ({"settings": {"index": {"aliases": {}}}}, "contain aliases", "Remove aliases"),
    "settings with their key": ({"settings": {"settings": {}}}, "contain settings", "Remove settings"),
    "tombstones kept too short": ({"settings": {"gc_deletes": "60s"}}, "gc_deletes is 60s", "longer"),
    "tombstones kept too short, by full name": ({"settings": {"index.gc_deletes": "14m"}}, "is 14m", "longer"),
    "tombstones kept too short, nested": ({"settings": {"index": {"gc_deletes": "899s"}}}, "is 899s", "longer"),
    "tombstones kept forever": ({"settings": {"gc_deletes": "-1"}}, "gc_deletes: '-1'", "30m"),
    "tombstones kept for words": ({"settings": {"gc_deletes": "forever"}}, "gc_deletes: 'forever'", "30m"),
    "tombstones kept for a number": ({"settings": {"gc_deletes": 900_000}}, "gc_deletes: 900000", "30m"),
    "a search for an unknown field": (
        {"mappings": {"properties": TITLE}, "search": Search(fields={"titel": 1})},
        "search names 'titel'",
        "Map it first",
    ),
    "a facet of an unknown field": (
        {"mappings": {"properties": TITLE}, "search": Search(facets=("key",))},
        "search names 'key'",
        "Map it first",
    ),
    "a facet of text": (
        {"mappings": {"properties": TITLE}, "search": Search(facets=("title",))},
        "mapped as text",
        "title.keyword",
    ),
    "a facet of an object": (
        {"mappings": {"properties": {"by": {"properties": TITLE}}}, "search": Search(facets=("by",))},
        "as object",
        "keyword",
    ),
    "a facet of nested objects": (
        {"mappings": {"properties": {"by": {"type": "nested"}}}, "search": Search(facets=("by",))},
        "as nested",
        "keyword",
    ),
    "a facet called like a parameter": ({"search": Search(facets=("sort",))}, "facet 'sort'", "differently"),
    "a sort by relevance": ({"search": Search(sorts={"relevance": "title"})}, "called relevance", "remove it"),
    "a sort by text": (
        {"mappings": {"properties": TITLE}, "search": Search(sorts={"title": "-title"})},
        "sort field 'title' is mapped as text",
        "title.keyword",
    ),
    "a sort by an unknown field": (
        {"mappings": {"properties": TITLE}, "search": Search(sorts={"price": "-price"})},
        "search names 'price'",
        "Map it first",
    ),
    "suggestions from an unknown field": (
        {"mappings": {"properties": TITLE}, "search": Search(suggest="name")},
        "search names 'name'",
        "Map it first",
    ),
    "a search in numbers": (
        {"mappings": {"properties": {"year": {"type": "integer"}}}, "search": Search(fields={"year": 1})},
        "search field 'year' is mapped as integer",
        "text fields",
    ),
    "a document that is not callable": ({"document": "title"}, "document is not callable", "Pass a function"),
    "a document function that waits": ({"document": coroutine}, "document is not a plain function", "Pass a function"),
}


@pytest.mark.parametrize(("declared", "reason", "hint"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradiction_is_rejected_with_its_remedy(declared: dict[str, Any], reason: str, hint: str) -> None:
    with pytest.raises(DeclarationError, match=re.escape(reason)) as caught:
        declare(**declared)
    assert hint in caught.value.hint
    assert not caught.value.retryable


SOUND: dict[str, dict[str, Any]] = {
    "the least": {},
    "the longest names": {"table": "a" * 255, "index": "s" * 234},
    "every character": {"table": "A.b-c_1", "index": "1a.b-c_d"},
    "a source that is whole": {"mappings": {"_source": {"enabled": True}, "_routing": {"required": False}}},
    "the shortest gc_deletes": {"settings": {"gc_deletes": "15m"}},
    "gc_deletes in another unit": {"settings": {"index.gc_deletes": "900s"}},
    "a facet of a sub-field": {
        "mappings": {"properties": {"title": {"type": "text", "fields": {"raw": {"type": "keyword"}}}}},
        "search": Search(fields={"title": 2, "title.raw": 1}, facets=("title.raw",)),
    },
    "a facet of an inner field": {
        "mappings": {"properties": {"by": {"properties": {"born": {"type": "date"}, "name": {"type": "text"}}}}},
        "search": Search(fields={"by.name": 1}, facets=("by.born",)),
    },
    "a search in dynamically mapped fields": {"search": Search(fields={"title": 1}, facets=("key",))},
    "immutable mappings": {"mappings": MappingProxyType({"properties": MappingProxyType(TITLE)})},
}


@pytest.mark.parametrize("declared", SOUND.values(), ids=SOUND)
def test_sound_declaration_is_accepted(declared: dict[str, Any]) -> None:
    sync = declare(**declared)
    assert repr(sync) == f"Sync(table={declared.get('table', 'songs')!r}, index={declared.get('index', 'songs')!r})"


def test_index_settings_lose_their_prefix() -> None:
    settings = {"index": {"gc_deletes": "30m", "refresh_interval": "1s"}, "index.number_of_shards": 2, "analysis": {}}
    assert declare(settings=settings).settings == {
        "gc_deletes": "30m",
        "refresh_interval": "1s",
        "number_of_shards": 2,
        "analysis": {},
    }


def test_declaration_does_not_change_with_its_arguments() -> None:
    mappings: dict[str, Any] = {"properties": {"title": {"type": "text"}}}
    sync = declare(mappings=mappings)
    mappings["properties"]["title"]["type"] = "keyword"
    assert sync.mappings == {"properties": {"title": {"type": "text"}}}


def test_fields_mapped_with_analysis_title_are_title_fields() -> None:
    mapped = {"properties": {"title": analysis.title(raw={"type": "keyword"}), "by": analysis.words()}}
    sync = declare(
        mappings=mapped,
        settings={"analysis": analysis.settings()},
        search=Search(fields={"title": 2, "by": 1}, sorts={"title": "title.keyword"}, suggest="by"),
    )
    assert sync.search.title_fields == ("title",)
    assert declare(mappings={"properties": TITLE}, search=Search(fields={"title": 1})).search.title_fields == ()


def test_title_fields_are_not_an_argument_of_search() -> None:
    with pytest.raises(TypeError, match="title_fields"):
        Search(title_fields=("title",))  # type: ignore[call-arg]


def test_searched_fields_are_highlighted() -> None:
    assert Search(fields={"title": 3, "composer": 1}).highlights == ("title", "composer")


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        ("15m", 900),
        ("900s", 900),
        ("1h", 3600),
        ("1d", 86400),
        ("500ms", 0.5),
        ("2 m", 120),
        ("3micros", 3e-6),
        ("0s", 0),
    ],
)
def test_duration_is_converted_to_seconds(duration: str, expected: float) -> None:
    assert seconds(duration) == pytest.approx(expected)


@pytest.mark.parametrize("duration", ["", "15", "1.5h", "-1s", "15 minutes", "m", "15M", 900, None])
def test_duration_that_opensearch_rejects_raises_value_error(duration: object) -> None:
    with pytest.raises(ValueError, match="not a whole number with a unit"):
        seconds(duration)
