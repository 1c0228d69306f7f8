"""The bytes of a bulk request, and the outcome of each item of its reply."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynadex.index.bulk import (
    APPLIED,
    Condition,
    External,
    Outcome,
    Unchanged,
    Write,
    classify,
    reason_of,
    split_by_bytes,
)

CONFLICT = {"type": "version_conflict_engine_exception", "reason": "[a]: version conflict"}
BUSY = {"type": "opensearch_rejected_execution_exception", "reason": "queue full"}
NO_INDEX = {"type": "index_not_found_exception", "reason": "no such index [songs]"}
REJECTED = {
    "type": "mapper_parsing_exception",
    "reason": "failed to parse field [n]",
    "caused_by": {"type": "number_format_exception", "reason": 'For input string: "x"'},
}

OUTCOMES: dict[str, tuple[str, dict[str, Any], Outcome]] = {
    "updated": ("index", {"status": 200}, Outcome.APPLIED),
    "created": ("index", {"status": 201}, Outcome.APPLIED),
    "created past a tombstone": ("create", {"status": 201}, Outcome.APPLIED),
    "deleted": ("delete", {"status": 200}, Outcome.APPLIED),
    "nothing to delete": ("delete", {"status": 404}, Outcome.APPLIED),
    "a newer document": ("index", {"status": 409, "error": CONFLICT}, Outcome.CONFLICT),
    "a newer document than a delete": ("delete", {"status": 409, "error": CONFLICT}, Outcome.CONFLICT),
    "created already": ("create", {"status": 409, "error": CONFLICT}, Outcome.CONFLICT),
    "too busy": ("index", {"status": 429, "error": BUSY}, Outcome.RETRY),
    "broken": ("index", {"status": 500, "error": {"type": "exception", "reason": "?"}}, Outcome.RETRY),
    "no primary shard": ("delete", {"status": 503, "error": {"type": "unavailable_shards_exception"}}, Outcome.RETRY),
    "a gateway's time-out": ("index", {"status": 504}, Outcome.RETRY),
    "no status at all": ("index", {}, Outcome.RETRY),
    "rejected by the mapping": ("index", {"status": 400, "error": REJECTED}, Outcome.REJECTED),
    "not allowed for this document": ("index", {"status": 403, "error": {"type": "security"}}, Outcome.REJECTED),
    "no index to write to": ("index", {"status": 404, "error": NO_INDEX}, Outcome.NO_INDEX),
    "no index to delete from": ("delete", {"status": 404, "error": NO_INDEX}, Outcome.NO_INDEX),
    "no alias to delete through": (
        "delete",
        {"status": 400, "error": {"type": "invalid_index_name_exception", "reason": "must be lowercase"}},
        Outcome.NO_INDEX,
    ),
    "an index that is blocked": (
        "index",
        {"status": 403, "error": {"type": "cluster_block_exception", "reason": "index [songs] blocked"}},
        Outcome.RETRY,
    ),
    "an index that is closed": (
        "index",
        {"status": 400, "error": {"type": "index_closed_exception", "reason": "closed"}},
        Outcome.RETRY,
    ),
    "a role that may not write": (
        "index",
        {"status": 403, "error": {"type": "security_exception", "reason": "no permissions"}},
        Outcome.FORBIDDEN,
    ),
    "a write that found nothing": ("index", {"status": 404}, Outcome.NO_INDEX),
}


@pytest.mark.parametrize(("verb", "result", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_reply_item_has_one_outcome(verb: str, result: dict[str, Any], outcome: Outcome) -> None:
    assert classify({verb: result}).outcome is outcome


def test_reason_is_that_of_the_cluster_and_empty_for_applied_writes() -> None:
    assert classify({"index": {"status": 201}}) == APPLIED
    assert classify({"index": {"status": 400, "error": REJECTED}}).reason == (
        'mapper_parsing_exception: failed to parse field [n] <- number_format_exception: For input string: "x"'
    )
    assert classify({"index": {"status": 503}}).reason == "no reason given"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "no reason given"),
        ({}, "no reason given"),
        ("", "no reason given"),
        ("just words", "just words"),
        ({"type": "a"}, "a"),
        ({"reason": "b"}, "b"),
        ({"type": "a", "reason": "b"}, "a: b"),
        ({"type": "a", "caused_by": {"type": "c", "caused_by": {"reason": "d"}}}, "a <- c <- d"),
        ({"type": "a", "reason": "b", "caused_by": {"type": "a", "reason": "b"}}, "a: b"),
        ({"type": "a", "caused_by": "words"}, "a <- words"),
    ],
    ids=str,
)
def test_reason_names_each_cause_once_outermost_first(error: Any, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("body", "condition", "lines"),
    [
        (b'{"a":1}', External(5), [{"index": {"_id": "k", "version": 5, "version_type": "external"}}, {"a": 1}]),
        (None, External(5), [{"delete": {"_id": "k", "version": 5, "version_type": "external"}}]),
        (b"{}", Unchanged(7, 2), [{"index": {"_id": "k", "if_seq_no": 7, "if_primary_term": 2}}, {}]),
        (None, Unchanged(7, 2), [{"delete": {"_id": "k", "if_seq_no": 7, "if_primary_term": 2}}]),
    ],
    ids=["index", "delete", "index unchanged", "delete unchanged"],
)
def test_write_is_encoded_with_its_condition(
    body: bytes | None, condition: Condition, lines: list[dict[str, Any]]
) -> None:
    encoded = Write("k", body, condition).encoded()
    assert encoded.endswith(b"\n")
    assert [json.loads(line) for line in encoded.splitlines()] == lines


@pytest.mark.parametrize("identity", ['a"b\\c', "a\nb", "a\0b", "Ríl 🎻", "a|b%7C", "\u2028\x85"])
def test_any_id_fits_on_one_line(identity: str) -> None:
    first, second, rest = Write(identity, b'{"v":1}', External(1)).encoded().split(b"\n")
    assert json.loads(first)["index"]["_id"] == identity
    assert (second, rest) == (b'{"v":1}', b"")


def test_body_is_sent_byte_for_byte() -> None:
    body = b'{"n":12345678901234567890123456789012345678,"d":1.50}'
    assert Write("k", body, External(1)).encoded().split(b"\n")[1] == body


@pytest.mark.parametrize(
    ("sizes", "limit", "ranges"),
    [
        ([], 10, []),
        ([3], 10, [(0, 1)]),
        ([5, 5], 10, [(0, 2)]),
        ([5, 6], 10, [(0, 1), (1, 2)]),
        ([3, 3, 3, 3], 9, [(0, 3), (3, 4)]),
        ([50], 10, [(0, 1)]),
        ([1, 50, 1], 10, [(0, 1), (1, 2), (2, 3)]),
        ([50, 1, 1], 10, [(0, 1), (1, 3)]),
        ([1, 1, 50], 10, [(0, 2), (2, 3)]),
        ([10, 10], 10, [(0, 1), (1, 2)]),
        ([1, 1, 1], 1, [(0, 1), (1, 2), (2, 3)]),
    ],
    ids=str,
)
def test_writes_are_split_by_bytes_and_a_large_one_stands_alone(
    sizes: list[int], limit: int, ranges: list[tuple[int, int]]
) -> None:
    assert [(chunk.start, chunk.stop) for chunk in split_by_bytes([b"x" * size for size in sizes], limit)] == ranges
