"""The order of hits and the configuration of the page, derived from the declaration."""

from __future__ import annotations

from typing import Any

import pytest

from dynadex import Search, Sync, analysis
from dynadex.document.identity import KeySchema
from dynadex.http import ui_config
from dynadex.search import sort_order

KEYWORD: dict[str, Any] = {"type": "keyword"}
TITLE = {"type": "text", "fields": {"raw": KEYWORD}}


def _order(properties: dict[str, Any], schema: KeySchema | None = None) -> sort_order.Order:
    sync = Sync(table="songs", index="songs", mappings={"properties": properties}, search=Search(fields={"title": 1}))
    return sort_order.order(sync, schema or KeySchema(("id",), ("S",)))


def test_key_is_the_last_tie_breaker() -> None:
    assert _order({"title": TITLE, "id": KEYWORD}) == sort_order.Order(("title.raw", "id"), unique=True)
    assert _order({"title": KEYWORD}, KeySchema(("title",), ("S",))) == sort_order.Order(("title",), unique=True)


def test_composite_key_breaks_ties_only_if_both_parts_are_mapped() -> None:
    schema = KeySchema(("by", "no"), ("S", "N"))
    assert _order({"title": TITLE, "by": KEYWORD, "no": {"type": "long"}}, schema).fields == ("title.raw", "by", "no")
    assert _order({"title": TITLE, "by": KEYWORD}, schema) == sort_order.Order(("title.raw",))


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"type": "text"},
        {"type": "long"},
        {"type": "keyword", "ignore_above": 256},
        {"type": "keyword", "normalizer": "lowercase"},
        {"type": "keyword", "doc_values": False},
    ],
)
def test_key_with_a_mapping_that_is_not_unique_breaks_no_ties(spec: dict[str, Any]) -> None:
    assert _order({"title": TITLE, "id": spec} if spec else {"title": TITLE}) == sort_order.Order(("title.raw",))


def test_config_has_sorts_suggestions_and_the_version() -> None:
    sync = Sync(
        table="songs",
        index="songs",
        settings={"analysis": analysis.settings()},
        mappings={"properties": {"id": KEYWORD, "title": analysis.title(), "note_count": {"type": "integer"}}},
        search=Search(fields={"title": 1}, sorts={"fewest_notes": "note_count"}, suggest="title", version="version"),
    )
    config = ui_config.config(sync, KeySchema(("id",), ("S",)))
    assert config["sorts"] == [
        {"name": "relevance", "label": "Relevance"},
        {"name": "fewest_notes", "label": "Fewest notes"},
    ]
    assert (config["suggest"], config["version"]) == (True, "version")
    assert [field["name"] for field in config["fields"]] == ["title", "note_count"]
