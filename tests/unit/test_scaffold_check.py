"""`dynadex check` on a sample: what would be dead-lettered, what contradicts itself, what grows, what nobody looks
for."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dynadex import Sync
from dynadex.document.identity import KeySchema
from dynadex.document.typed_json import typed
from dynadex.scaffold.check import CheckResult, check, tried_on_cluster
from dynadex.scaffold.sample import Sample
from dynadex.source.table import TableDescription

FIXED: dict[str, Any] = {"dynamic": False, "properties": {"id": {"type": "keyword"}, "bars": {"type": "integer"}}}


def sample(*songs: dict[str, Any], stream: str | None = "NEW_AND_OLD_IMAGES") -> Sample:
    items = tuple(typed({"id": str(number), **song})["M"] for number, song in enumerate(songs))
    description = TableDescription("songs", KeySchema(("id",), ("S",)), "arn" if stream else None, stream, len(items))
    return Sample(description, items, whole=True)


def checked(*songs: dict[str, Any], mappings: dict[str, Any] = FIXED, **declared: Any) -> CheckResult:
    return check(Sync(table="songs", index="songs", mappings=mappings, **declared), sample(*songs))


def found(result: CheckResult, kind: str) -> list[tuple[str, int, str]]:
    return [(one.field, one.items, one.example) for one in result.findings if one.kind == kind]


def test_nothing_is_found_where_all_fits() -> None:
    result = checked({"bars": 32}, {"bars": 16})
    assert (result.documents, result.dead_lettered, result.left_out, result.findings, result.fits) == (
        2,
        0,
        0,
        [],
        True,
    )


def test_a_type_that_opensearch_does_not_have_is_found() -> None:
    properties = {
        **FIXED["properties"],
        "title": {"type": "txt", "fields": {"exact": {"type": "keywrd"}}},
        "by": {"properties": {"name": {"type": "of_a_plugin"}, "born": {"type": "date"}}},
    }
    result = checked({"bars": 32}, mappings={**FIXED, "properties": properties})
    assert {one.field: one.message.partition(": ")[2] for one in result.findings if one.kind == "type"} == {
        "title": "did you mean text?",
        "title.exact": "did you mean keyword?",
        "by.name": "if a plugin brings it, try --on-cluster",
    }
    assert not result.fits
    tried_on_cluster(result, {})
    assert result.fits, "the cluster has all of them"


def test_items_that_the_mapping_refuses_would_be_dead_lettered() -> None:
    result = checked({"bars": 32}, {"bars": "many"}, {"bars": "few"}, {"bars": 2**40})
    assert (result.documents, result.dead_lettered, result.fits) == (1, 3, False)
    assert found(result, "dead_lettered") == [("bars", 2, "1"), ("bars", 1, "3")]
    assert "many" not in str(result.as_json()), "no value is told"


def test_items_that_the_document_function_cannot_take_would_be_dead_lettered() -> None:
    result = checked({"bars": 32}, {}, document=lambda item: {"bars": item["bars"]})
    [dead_lettered] = [one for one in result.findings if one.kind == "dead_lettered"]
    assert (dead_lettered.message, dead_lettered.items, dead_lettered.example) == ("KeyError: 'bars'", 1, "1")


def test_items_that_it_leaves_out_are_counted() -> None:
    result = checked({"bars": 32}, {}, document=lambda item: item if "bars" in item else None)
    assert (result.items, result.documents, result.left_out, result.fits) == (2, 1, 1, True)


def test_a_document_function_that_depends_on_more_than_its_item_is_found() -> None:
    counter = itertools.count()
    result = checked({"bars": 1}, document=lambda item: {**item, "bars": next(counter)})
    assert [one.kind for one in result.findings] == ["impure"]
    assert not result.fits


@pytest.mark.parametrize(("view", "reason"), [(None, "no stream"), ("KEYS_ONLY", "KEYS_ONLY")])
def test_a_table_that_no_worker_could_follow_is_found(view: str | None, reason: str) -> None:
    sync = Sync(table="songs", index="songs", mappings=FIXED)
    [finding] = check(sync, sample({"bars": 1}, stream=view)).findings
    assert (finding.kind, finding.serious, reason in finding.message) == ("stream", True, True)


def test_values_of_several_kinds_are_named_where_the_field_is_mapped() -> None:
    mappings = {"dynamic": False, "properties": {"bars": {"type": "keyword"}}}
    result = checked({"bars": 1, "x": 1}, {"bars": 2}, {"bars": "many", "x": "y"}, mappings=mappings)
    assert found(result, "conflict") == [("bars", 1, "2")]
    assert result.fits


def test_fields_that_are_not_mapped_and_fields_that_are_never_seen_are_told() -> None:
    result = checked({"title": "x"}, {"title": "y"})
    messages = {one.kind: one.message for one in result.findings}
    assert messages == {
        "unmapped": "stored, but not searched: title",
        "unseen": "mapped, but in no document of the sample: bars",
    }
    assert result.fits


def test_a_mapping_that_grows_with_every_item_explodes() -> None:
    songs = [{"plays": {f"day{number}": 1}} for number in range(200)]
    result = checked(*songs, mappings={})
    assert not result.fits
    assert [one.field for one in result.findings if one.kind == "explosion"] == ["plays", ""]
    assert result.fields == 203
    assert checked(*songs, mappings=FIXED).fits


def test_a_mapping_that_grows_a_little_is_only_told() -> None:
    result = checked({"title": "x"}, {"title": "y"}, mappings={})
    assert result.fits
    [finding] = result.findings
    assert "4 fields would take their type from the first value" in finding.message


def test_items_beyond_the_limit_of_fields_would_be_dead_lettered() -> None:
    songs = [{f"attribute{number}": 1} for number in range(30)]
    result = checked(*songs, mappings={}, settings={"mapping.total_fields.limit": 20})
    assert (result.documents, result.dead_lettered) == (18, 12)


def test_what_the_cluster_says_replaces_what_was_told_from_the_mappings() -> None:
    result = checked({"bars": "many"}, {}, {"bars": 1}, document=lambda item: {"bars": item["bars"]})
    reason = "mapper_parsing_exception: failed to parse field [bars] of type [integer]"
    tried_on_cluster(result, {"0": f"{reason} in document with id '0'. Preview of field's value: 'many'"})
    assert sorted((one.message, one.items) for one in result.findings if one.kind == "dead_lettered") == [
        ("KeyError: 'bars'", 1), (reason, 1),
    ]  # fmt: skip
    assert (result.documents, result.dead_lettered) == (1, 2)


def test_of_an_empty_table_nothing_can_be_told() -> None:
    result = checked()
    assert (result.items, result.findings, result.fits) == (0, [], True)
