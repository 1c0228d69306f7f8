"""`dynadex check`: dead letters, conflicts, growing mappings and unused fields are found in a sample."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from dynadex import Sync
from dynadex.document.identity import KeySchema
from dynadex.document.typed_json import typed
from dynadex.scaffold.check import CheckResult, apply_trial, check
from dynadex.scaffold.sample import Sample
from dynadex.source.table import TableDescription

FIXED: dict[str, Any] = {"dynamic": False, "properties": {"id": {"type": "keyword"}, "bars": {"type": "integer"}}}


def sample(*songs: dict[str, Any], stream: str | None = "NEW_AND_OLD_IMAGES") -> Sample:
    items = tuple(typed({"id": str(number), **song})["M"] for number, song in enumerate(songs))
    description = TableDescription("songs", KeySchema(("id",), ("S",)), "arn" if stream else None, stream, len(items))
    return Sample(description, items, whole=True)


def checked(*songs: dict[str, Any], mappings: dict[str, Any] = FIXED, **declared: Any) -> CheckResult:
    return check(Sync(table="songs", index="songs", mappings=mappings, **declared), sample(*songs))


def of_kind(result: CheckResult, kind: str) -> list[tuple[str, int, str]]:
    return [(finding.field, finding.items, finding.example) for finding in result.findings if finding.kind == kind]


def test_sync_that_fits_has_no_findings() -> None:
    result = checked({"bars": 32}, {"bars": 16})
    assert (result.documents, result.dead_lettered, result.left_out, result.findings, result.fits) == (
        2,
        0,
        0,
        [],
        True,
    )


def test_unknown_field_type_is_a_finding() -> None:
    properties = {
        **FIXED["properties"],
        "title": {"type": "txt", "fields": {"exact": {"type": "keywrd"}}},
        "by": {"properties": {"name": {"type": "of_a_plugin"}, "born": {"type": "date"}}},
    }
    result = checked({"bars": 32}, mappings={**FIXED, "properties": properties})
    assert {
        finding.field: finding.message.partition(": ")[2] for finding in result.findings if finding.kind == "type"
    } == {
        "title": "did you mean text?",
        "title.exact": "did you mean keyword?",
        "by.name": "if a plugin provides it, check again with --on-cluster",
    }
    assert not result.fits
    apply_trial(result, {})
    assert result.fits, "the cluster accepted all of them"


def test_item_that_the_mapping_rejects_would_be_dead_lettered() -> None:
    result = checked({"bars": 32}, {"bars": "many"}, {"bars": "few"}, {"bars": 2**40})
    assert (result.documents, result.dead_lettered, result.fits) == (1, 3, False)
    assert of_kind(result, "dead_lettered") == [("bars", 2, "1"), ("bars", 1, "3")]
    assert "many" not in str(result.as_json()), "values must not be shown"


def test_item_that_fails_the_document_function_would_be_dead_lettered() -> None:
    result = checked({"bars": 32}, {}, document=lambda item: {"bars": item["bars"]})
    [dead_lettered] = [finding for finding in result.findings if finding.kind == "dead_lettered"]
    assert (dead_lettered.message, dead_lettered.items, dead_lettered.example) == ("KeyError: 'bars'", 1, "1")


def test_items_left_out_by_the_document_function_are_counted() -> None:
    result = checked({"bars": 32}, {}, document=lambda item: item if "bars" in item else None)
    assert (result.items, result.documents, result.left_out, result.fits) == (2, 1, 1, True)


def test_nondeterministic_document_function_is_a_finding() -> None:
    counter = itertools.count()
    result = checked({"bars": 1}, document=lambda item: {**item, "bars": next(counter)})
    assert [finding.kind for finding in result.findings] == ["nondeterministic"]
    assert not result.fits


@pytest.mark.parametrize(("view", "reason"), [(None, "no stream"), ("KEYS_ONLY", "KEYS_ONLY")])
def test_table_without_a_usable_stream_is_a_finding(view: str | None, reason: str) -> None:
    sync = Sync(table="songs", index="songs", mappings=FIXED)
    [finding] = check(sync, sample({"bars": 1}, stream=view)).findings
    assert (finding.kind, finding.serious, reason in finding.message) == ("stream", True, True)


def test_mapped_field_with_values_of_several_kinds_is_a_conflict() -> None:
    mappings = {"dynamic": False, "properties": {"bars": {"type": "keyword"}}}
    result = checked({"bars": 1, "x": 1}, {"bars": 2}, {"bars": "many", "x": "y"}, mappings=mappings)
    assert of_kind(result, "conflict") == [("bars", 1, "2")]
    assert result.fits


def test_unmapped_and_unseen_fields_are_findings() -> None:
    result = checked({"title": "x"}, {"title": "y"})
    messages = {finding.kind: finding.message for finding in result.findings}
    assert messages == {
        "unmapped": "stored, but not searchable: title",
        "unseen": "mapped, but in no document of the sample: bars",
    }
    assert result.fits


def test_mapping_that_grows_with_every_item_is_an_explosion() -> None:
    songs = [{"plays": {f"day{number}": 1}} for number in range(200)]
    result = checked(*songs, mappings={})
    assert not result.fits
    assert [finding.field for finding in result.findings if finding.kind == "explosion"] == ["plays", ""]
    assert result.fields == 203
    assert checked(*songs, mappings=FIXED).fits


def test_mapping_that_grows_a_little_is_not_serious() -> None:
    result = checked({"title": "x"}, {"title": "y"}, mappings={})
    assert result.fits
    [finding] = result.findings
    assert "4 fields would take their type from the first value" in finding.message


def test_item_beyond_the_limit_of_fields_would_be_dead_lettered() -> None:
    songs = [{f"attribute{number}": 1} for number in range(30)]
    result = checked(*songs, mappings={}, settings={"mapping.total_fields.limit": 20})
    assert (result.documents, result.dead_lettered) == (18, 12)


def test_rejections_of_the_cluster_replace_those_derived_from_the_mappings() -> None:
    result = checked({"bars": "many"}, {}, {"bars": 1}, document=lambda item: {"bars": item["bars"]})
    reason = "mapper_parsing_exception: failed to parse field [bars] of type [integer]"
    apply_trial(result, {"0": f"{reason} in document with id '0'. Preview of field's value: 'many'"})
    assert sorted(
        (finding.message, finding.items) for finding in result.findings if finding.kind == "dead_lettered"
    ) == [
        ("KeyError: 'bars'", 1), (reason, 1),
    ]  # fmt: skip
    assert (result.documents, result.dead_lettered) == (1, 2)


def test_empty_table_has_no_findings() -> None:
    result = checked()
    assert (result.items, result.findings, result.fits) == (0, [], True)
