"""MappingCheck predicts how a real OpenSearch responds to the same documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch, RequestError

from dynadex.document.mapping_check import MappingCheck, count_fields, rejections
from tests.waiting import HANG_SECONDS

INDEX = "mapping-check-contract"
FIELDS: dict[str, dict[str, Any]] = {
    "long": {"type": "long"},
    "integer": {"type": "integer"},
    "byte": {"type": "byte"},
    "unsigned": {"type": "unsigned_long"},
    "uncoerced": {"type": "long", "coerce": False},
    "malformed": {"type": "long", "ignore_malformed": True},
    "float": {"type": "float"},
    "double": {"type": "double"},
    "scaled": {"type": "scaled_float", "scaling_factor": 100},
    "boolean": {"type": "boolean"},
    "date": {"type": "date"},
    "ip": {"type": "ip"},
    "keyword": {"type": "keyword"},
    "short_keyword": {"type": "keyword", "ignore_above": 1024},
    "text": {"type": "text"},
    "text_and_keyword": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
    "typed": {"type": "search_as_you_type"},
    "binary": {"type": "binary"},
    "object": {"properties": {"x": {"type": "long"}}},
    "nested": {"type": "nested", "properties": {"x": {"type": "keyword"}}},
    "unparsed": {"type": "object", "enabled": False},
}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.5, 300, 2**31, 2**63, 2**64, 10**40, 1e39, "", "x", "5", "-5", "5.5", "1e3", "0x10",
    "true", "True", "on", "127.0.0.1", "::1", "aGVsbG8=", "x" * 40_000, "\u00e9" * 20_000,
    "2026", "2026-01", "2026-01-31", "2026-02-30", "2026-13-01", "2026-1-3", "20260131", "12026-01-01", "2026-W05",
    "2026-01-31T12", "2026-01-31T12:00", "2026-01-31T12:00:00", "2026-01-31T12:00:00Z", "2026-01-31T12:00:00+0100",
    "2026-01-31T12:00:00.123+01:00", "2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.1234567891Z",
    "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31 12:00:00", "2026-01-31t12:00:00z", "1700000000000",
    {}, {"x": 1}, {"x": "y"}, {"x": {}}, [], [None], [1, 2], [1, "x"], [[1], [2]], [{"x": 1}], [{"x": 1}, {"x": "y"}],
    [{"x": 1}, 5],
)  # fmt: skip
NAMED: tuple[dict[str, Any], ...] = (
    {"": 1}, {".": 1}, {"a.": 1}, {".a": 1}, {"a..b": 1}, {"a.b": 1}, {"_id": "x"}, {"_source": 1}, {"_index": "x"},
    {"_version": 1}, {"_seq_no": 1}, {"_ignored": 1}, {"_field_names": 1}, {"_foo": 1}, {"_type": "x"}, {" ": 1},
    {"object": {"_id": 1}}, {"object": {"": 1}}, {"unparsed": {"": 1}}, {"unknown": {"": 1}}, {"text.b": 1},
    {"keyword.b": 1}, {"object.x": 1}, {"object.x": "y"}, {"unparsed.a": 1},
)  # fmt: skip
# OpenSearch ignores objects in a list of binary values, though it rejects a single one; MappingCheck rejects both.
IGNORED_OBJECTS = {json.dumps({"binary": value}) for value in VALUES if isinstance(value, list) and {"x": 1} in value}
# Indexed one after another, with a mapping that takes the type of a new field from its first value.
GROWING: tuple[dict[str, Any], ...] = (
    {"a": 1}, {"a": "x"}, {"a": "5"}, {"a": 1.5}, {"b": "2026-01-31"}, {"b": "x"}, {"b": 5}, {"c": {"d": 1}}, {"c": 5},
    {"c": {"d": "x"}}, {"c.e": "y"}, {"f": True, "h": []}, {"f": "x"}, {"f": "true"}, {"h": {}}, {"h": 5}, {"i": None},
    {"i": "2026"}, {"i": {}}, {"j": [None, {"k": 1}]}, {"j": 1}, {"m": 1, "a": "x"}, {"m": "x"}, {"p": [1, 1.5]},
    {"q": ["x", 1]}, {"r": [{"s": 1}, {"s": "x"}]}, {"a": [1, 1.5, "7"]},
)  # fmt: skip


@pytest.fixture(scope="module")
def answers(opensearch_url: str) -> Iterator[dict[str, bool]]:
    """Whether OpenSearch accepts each document, by the document as JSON."""
    mappings = {"dynamic": False, "properties": FIELDS}
    with OpenSearch(opensearch_url, timeout=HANG_SECONDS) as client:
        client.indices.delete(index=INDEX, ignore=[404])
        client.indices.create(index=INDEX, body={"mappings": mappings})
        documents = [json.dumps(document) for document in every_document()]
        lines = "".join(f'{{"index":{{}}}}\n{document}\n' for document in documents)
        reply = client.transport.perform_request("POST", f"/{INDEX}/_bulk", body=lines.encode())
        yield {
            document: item["index"]["status"] in (200, 201)
            for document, item in zip(documents, reply["items"], strict=True)
        }
        client.indices.delete(index=INDEX)


def every_document() -> Iterator[dict[str, Any]]:
    for name in FIELDS:
        yield from ({name: value} for value in VALUES)
    yield from NAMED


@pytest.mark.parametrize("name", [*FIELDS, "names"])
def test_mapping_check_rejects_what_opensearch_rejects(answers: dict[str, bool], name: str) -> None:
    documents = NAMED if name == "names" else tuple({name: value} for value in VALUES)
    mappings = {"dynamic": False, "properties": FIELDS}
    accepted = {json.dumps(document): not rejections(mappings, document) for document in documents}
    accepted |= dict.fromkeys(IGNORED_OBJECTS & accepted.keys(), True)
    assert accepted == {document: answers[document] for document in accepted}


def test_mapping_grows_as_in_opensearch(opensearch_url: str) -> None:
    index, check = f"{INDEX}-growing", MappingCheck({})
    with OpenSearch(opensearch_url, timeout=HANG_SECONDS) as client:
        client.indices.delete(index=index, ignore=[404])
        client.indices.create(index=index, body={"mappings": {}})
        for document in GROWING:
            try:
                client.index(index=index, body=document)
                accepted = True
            except RequestError:
                accepted = False
            assert (check.rejections(document) == []) is accepted, document
        mappings = client.indices.get_mapping(index=index)[index]["mappings"]
        client.indices.delete(index=index)
    assert types(check.mappings) == types(mappings)
    assert check.fields == count_fields(mappings)


def types(spec: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """The type of each field and sub-field."""
    by_path: dict[str, str] = {}
    for name, field_spec in {**spec.get("properties", {}), **spec.get("fields", {})}.items():
        by_path |= {prefix + name: field_spec.get("type", "object"), **types(field_spec, f"{prefix}{name}.")}
    return by_path
