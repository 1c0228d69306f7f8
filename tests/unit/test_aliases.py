"""Index names, aliases, and how a live index contradicts what is declared."""

from __future__ import annotations

from typing import Any, cast

import pytest

from dynadex.errors import SearchError
from dynadex.index.aliases import (
    GC_DELETES,
    RESOLVE_SECONDS,
    SyncAlias,
    creation_body,
    differences,
    ensure_index,
    physical_name,
    sync_alias,
)
from dynadex.testing import InMemoryIndex, ManualClock

AT_US = 1_795_499_100_999_999  # 2026-11-24 05:45:00.999999 UTC
NAME = "songs-20261124054500"
TITLE = {"properties": {"title": {"type": "text"}}}


def live(properties: dict[str, Any], settings: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return an index as OpenSearch describes it."""
    return {"mappings": {"properties": properties, **more}, "settings": {"index": settings or {}}}


# Declared field, live field.
AGREE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "the same": ({"type": "text", "analyzer": "english"}, {"type": "text", "analyzer": "english"}),
    "more is live": ({"type": "text"}, {"type": "text", "analyzer": "english", "fields": {"raw": {"type": "keyword"}}}),
    "an object without its type": ({"properties": {}}, {"properties": {}}),
    "an object with its type": ({"type": "object", "properties": {}}, {}),
    "a boolean as text": ({"type": "keyword", "doc_values": False}, {"type": "keyword", "doc_values": "false"}),
    "a number as text": ({"type": "keyword", "ignore_above": 256}, {"type": "keyword", "ignore_above": "256"}),
    "a whole number as a fraction": (
        {"type": "scaled_float", "scaling_factor": 100},
        {"type": "scaled_float", "scaling_factor": 100.0},
    ),
    "one value as a list": ({"type": "text", "copy_to": "all"}, {"type": "text", "copy_to": ["all"]}),
    "a part of what is live": (
        {"type": "text", "index_prefixes": {"min_chars": 2}},
        {"type": "text", "index_prefixes": {"max_chars": 5, "min_chars": 2}},
    ),
    "a search analyzer like the analyzer": (
        {"type": "text", "analyzer": "english", "search_analyzer": "english"},
        {"type": "text", "analyzer": "english"},
    ),
    "norms of text": ({"type": "text", "norms": True}, {"type": "text"}),
    "no norms of a keyword": ({"type": "keyword", "norms": False}, {"type": "keyword"}),
    "the usual format of a date": (
        {"type": "date", "format": "strict_date_optional_time||epoch_millis"},
        {"type": "date"},
    ),
}
CONTRADICT: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another type": ({"type": "keyword"}, {"type": "text"}, "has type text, declared keyword"),
    "an object that is a value": ({"type": "keyword"}, {"properties": {}}, "has type unset, declared keyword"),
    "another analyzer": (
        {"type": "text", "analyzer": "english"},
        {"type": "text", "analyzer": "simple"},
        "declared english",
    ),
    "an analyzer that is not set": ({"type": "text", "analyzer": "english"}, {"type": "text"}, "has analyzer unset"),
    "another search analyzer": (
        {"type": "text", "analyzer": "english", "search_analyzer": "simple"},
        {"type": "text", "analyzer": "english"},
        "has search_analyzer unset, declared simple",
    ),
    "no index": ({"type": "text", "index": False}, {"type": "text"}, "has index unset, declared false"),
    "no norms of text": ({"type": "text", "norms": False}, {"type": "text"}, "has norms unset, declared false"),
    "norms of a keyword": ({"type": "keyword", "norms": True}, {"type": "keyword"}, "has norms unset, declared true"),
    "another number": (
        {"type": "keyword", "ignore_above": 256},
        {"type": "keyword", "ignore_above": 25},
        "declared 256",
    ),
    "another factor": (
        {"type": "scaled_float", "scaling_factor": 10},
        {"type": "scaled_float", "scaling_factor": 100.0},
        "has scaling_factor 100, declared 10",
    ),
    "another target": ({"type": "text", "copy_to": ["a", "b"]}, {"type": "text", "copy_to": ["a"]}, "declared a, b"),
    "another part": (
        {"type": "text", "index_prefixes": {"min_chars": 1}},
        {"type": "text", "index_prefixes": {"min_chars": 2}},
        "has index_prefixes",
    ),
    "a part that is not set": (
        {"type": "text", "index_prefixes": {"min_chars": 1}},
        {"type": "text"},
        "has index_prefixes unset",
    ),
}


@pytest.mark.parametrize(("declared", "described"), AGREE.values(), ids=AGREE)
def test_field_agrees_with_its_declaration(declared: dict[str, Any], described: dict[str, Any]) -> None:
    assert list(differences({"properties": {"f": declared}}, {}, live({"f": described}))) == []


@pytest.mark.parametrize(("declared", "described", "line"), CONTRADICT.values(), ids=CONTRADICT)
def test_field_contradicts_its_declaration(declared: dict[str, Any], described: dict[str, Any], line: str) -> None:
    [difference] = differences({"properties": {"f": declared}}, {}, live({"f": described}))
    assert difference.startswith("field f has ")
    assert line in difference


def test_missing_field_is_named_by_its_path() -> None:
    declared = {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "by": {"properties": {"name": {"type": "text"}}},
        "year": {"type": "integer"},
    }
    described = live({"title": {"type": "text"}, "by": {"properties": {"name": {"type": "keyword"}}}})
    assert list(differences({"properties": declared}, {}, described)) == [
        "field title.raw is declared, but not mapped",
        "field by.name has type keyword, declared text",
        "field year is declared, but not mapped",
    ]


@pytest.mark.parametrize(
    ("declared", "described", "lines"),
    [
        (None, {}, []),
        (None, {"dynamic": "strict"}, []),
        (True, {}, []),
        (False, {"dynamic": "false"}, []),
        ("strict", {"dynamic": "strict"}, []),
        (False, {}, ["dynamic is true, declared false"]),
        ("strict", {"dynamic": "false"}, ["dynamic is false, declared strict"]),
    ],
)
def test_dynamic_is_compared_only_where_declared(declared: Any, described: dict[str, Any], lines: list[str]) -> None:
    mappings = {} if declared is None else {"dynamic": declared}
    assert list(differences(mappings, {}, live({}, **described))) == lines


ENGLISH = {
    "analyzer": {"words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "edge"]}},
    "filter": {"edge": {"type": "edge_ngram", "min_gram": 1, "preserve_original": True}},
}
ENGLISH_AS_ANSWERED: dict[str, Any] = {
    "analyzer": {"words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "edge"]}},
    "filter": {"edge": {"type": "edge_ngram", "min_gram": "1", "preserve_original": "true"}},
}


def test_analysis_settings_returned_as_text_agree() -> None:
    described = live({}, {"analysis": ENGLISH_AS_ANSWERED, "number_of_shards": "5"})
    assert list(differences({}, {"analysis": ENGLISH, "number_of_shards": 1}, described)) == []


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("filter", "edge", "min_gram"), "2", "setting analysis.filter.edge.min_gram is 2, declared 1"),
        (("analyzer", "words", "filter"), ["edge", "lowercase"], "is edge, lowercase, declared lowercase, edge"),
        (
            ("analyzer", "words", "tokenizer"),
            None,
            "setting analysis.analyzer.words.tokenizer is None, declared standard",
        ),
    ],
)
def test_different_analysis_settings_contradict(path: tuple[str, str, str], value: Any, line: str) -> None:
    kind, name, key = path
    changed: dict[str, Any] = {
        **ENGLISH_AS_ANSWERED,
        kind: {**ENGLISH_AS_ANSWERED[kind], name: dict(ENGLISH_AS_ANSWERED[kind][name])},
    }
    changed[kind][name][key] = value
    [difference] = differences({}, {"analysis": ENGLISH}, live({}, {"analysis": changed}))
    assert line in difference


def test_new_index_is_named_after_its_second_and_has_both_aliases() -> None:
    cluster, clock = InMemoryIndex(), ManualClock(AT_US)
    assert ensure_index(cluster, "songs", TITLE, {"number_of_shards": 1}, clock) == (NAME, True)
    assert cluster.indexes_behind("songs") == cluster.indexes_behind("songs-sync") == [NAME]
    assert cluster.describe(NAME) == {
        "settings": {"index": {"gc_deletes": GC_DELETES, "number_of_shards": 1}},
        "mappings": TITLE,
        "aliases": {"songs": {}, "songs-sync": {}},
    }


def test_existing_index_is_used() -> None:
    cluster, clock = InMemoryIndex(), ManualClock(AT_US)
    ensure_index(cluster, "songs", TITLE, {}, clock)
    clock.advance(60)
    assert ensure_index(cluster, "songs", TITLE, {}, clock) == (NAME, False)
    assert cluster.indexes_behind("songs-sync") == [NAME]


def test_newest_matching_index_is_used() -> None:
    cluster, clock = InMemoryIndex(), ManualClock(AT_US)
    ensure_index(cluster, "songs", {"properties": {"title": {"type": "keyword"}}}, {}, clock)
    cluster.create("songs-20261125000000", creation_body("songs", TITLE, {}))
    assert ensure_index(cluster, "songs", TITLE, {}, clock) == ("songs-20261125000000", False)


def test_index_that_contradicts_the_declaration_is_rejected() -> None:
    cluster, clock = InMemoryIndex(), ManualClock(AT_US)
    ensure_index(cluster, "songs", TITLE, {}, clock)
    other = {"properties": {"title": {"type": "keyword"}, "key": {"type": "keyword"}}}
    with pytest.raises(SearchError, match=r"title has type text.*; field key is declared.*dynadex rebuild") as caught:
        ensure_index(cluster, "songs", other, {}, clock)
    assert caught.value.subject == NAME


def test_old_and_new_declaration_each_use_their_index_while_a_mapping_changes() -> None:
    cluster, clock = InMemoryIndex(), ManualClock(AT_US)
    other = {"properties": {"title": {"type": "keyword"}}}
    ensure_index(cluster, "songs", TITLE, {}, clock)
    cluster.create("songs-20261125000000", {"mappings": other, "aliases": {"songs-sync": {}}})
    assert ensure_index(cluster, "songs", TITLE, {}, clock) == (NAME, False)
    assert ensure_index(cluster, "songs", other, {}, clock) == ("songs-20261125000000", False)
    with pytest.raises(SearchError, match="songs-20261125000000: it contradicts"):
        ensure_index(cluster, "songs", {"properties": {"title": {"type": "date"}}}, {}, clock)


@pytest.mark.parametrize("as_alias", [False, True], ids=["an index", "an alias"])
def test_name_of_a_foreign_index_or_alias_is_rejected(as_alias: bool) -> None:
    cluster = InMemoryIndex()
    cluster.create("other" if as_alias else "songs", {"aliases": {"songs": {}} if as_alias else {}})
    with pytest.raises(SearchError, match=r"alias songs.*did not create.*another index name"):
        ensure_index(cluster, "songs", TITLE, {}, ManualClock())


def test_declared_setting_overrides_the_default() -> None:
    assert creation_body("songs", {}, {"gc_deletes": "1h"})["settings"] == {"index": {"gc_deletes": "1h"}}


def test_physical_names_sort_by_age() -> None:
    clock = ManualClock(AT_US)
    names = []
    for _ in range(5):
        names.append(physical_name("songs", clock))
        clock.advance(40 * 86_400)
    assert names == sorted(names)
    assert names[0] == NAME
    assert sync_alias("songs") == "songs-sync"


class Counting(InMemoryIndex):
    resolved = 0

    def indexes_behind(self, alias: str) -> list[str]:
        self.resolved += 1
        return super().indexes_behind(alias)


def test_sync_alias_is_resolved_every_ten_seconds() -> None:
    cluster, clock = Counting(), ManualClock()
    cluster.create("songs-1", creation_body("songs", {}, {}))
    alias = SyncAlias(cluster, "songs", clock)
    assert [list(alias.current()) for _ in range(3)] == [["songs-1"]] * 3
    assert cluster.resolved == 1
    cluster.create("songs-2", creation_body("songs", {}, {}))
    clock.advance(RESOLVE_SECONDS - 0.001)
    assert list(alias.current()) == ["songs-1"]
    clock.advance(0.001)
    assert list(alias.current()) == ["songs-1", "songs-2"]
    assert cluster.resolved == 2


def test_alias_without_an_index_raises_until_one_exists() -> None:
    cluster, clock = InMemoryIndex(), ManualClock()
    alias = SyncAlias(cluster, "songs", clock)
    with pytest.raises(SearchError, match=r"songs-sync: there is no index behind.*dynadex refill") as caught:
        alias.current()
    assert caught.value.status == 404
    cluster.create("songs-1", creation_body("songs", {}, {}))
    assert list(alias.current()) == ["songs-1"]


class _ConcurrentlyCreated(InMemoryIndex):
    """Another process creates an index while this one does."""

    def create(self, index: str, body: Any) -> None:
        super().create(index, body)
        self.create = super().create  # type: ignore[method-assign]
        ensure_index(_NotThere(self), "songs", {}, {}, ManualClock(AT_US - 5_000_000))


class _NotThere:
    """A process that resolved the alias before the other index existed."""

    def __init__(self, cluster: InMemoryIndex) -> None:
        self._cluster = cluster
        self._looked = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    def indexes_behind(self, alias: str) -> list[str]:
        if not self._looked:
            self._looked = True
            return []
        return self._cluster.indexes_behind(alias)

    def exists(self, index: str) -> bool:  # noqa: ARG002
        return False


def test_one_of_two_indexes_created_at_the_same_time_remains() -> None:
    cluster = _ConcurrentlyCreated()
    assert ensure_index(cluster, "songs", {}, {}, ManualClock(AT_US)) == (NAME, True)
    assert cluster.indexes_behind(sync_alias("songs")) == [NAME]


def test_one_index_remains_whichever_process_is_slow() -> None:
    cluster, clock = InMemoryIndex(), ManualClock()
    made = []

    def slow() -> bool:
        """The next second begins, and another process creates an index, while this one searches for items."""
        clock.advance(1.0)
        made.append(ensure_index(cluster, "songs", {}, {}, clock))
        return True

    made.append(ensure_index(cluster, "songs", {}, {}, clock, slow))
    assert len(cluster.indexes_behind("songs")) == 1, "each document is found twice"
    assert {name for name, _ in made} == set(cluster.indexes_behind("songs-sync"))


def test_two_processes_that_choose_the_same_name_share_the_index() -> None:
    cluster, clock = InMemoryIndex(), ManualClock()
    made = []

    def slow() -> bool:
        made.append(ensure_index(cluster, "songs", {}, {}, clock))
        return True

    made.append(ensure_index(cluster, "songs", {}, {}, clock, slow))
    [name] = cluster.indexes_behind("songs-sync")
    assert made == [(name, True), (name, False)]


def test_index_that_another_process_just_created_is_used() -> None:
    cluster = InMemoryIndex()
    ensure_index(cluster, "songs", {}, {}, ManualClock(AT_US))
    late = _LooksTooEarly(cluster)
    assert ensure_index(cast(Any, late), "songs", {}, {}, ManualClock(AT_US)) == (NAME, False)


class _LooksTooEarly(_NotThere):
    def exists(self, index: str) -> bool:
        return self._cluster.exists(index)
