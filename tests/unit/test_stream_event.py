"""Stream records, in the forms of Lambda and of GetRecords, to changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from dynadex.change import Change
from dynadex.document.typed_json import plain
from dynadex.source.stream_event import Malformed, parse, records_of, time_us

NUMBER = "111100000000000000000001"
SECOND = 1_700_000_000
KEY = {"id": {"S": "rakes"}}
IMAGE = {"id": {"S": "rakes"}, "title": {"S": "The Rakes of Mallow"}}
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def record(event_name: Any = "MODIFY", **body: Any) -> dict[str, Any]:
    """A stream record, without the parts that are None."""
    whole = {"Keys": KEY, "NewImage": IMAGE, "ApproximateCreationDateTime": SECOND, "SequenceNumber": NUMBER} | body
    return {"eventName": event_name, "dynamodb": {name: part for name, part in whole.items() if part is not None}}


@pytest.mark.parametrize("event_name", ["INSERT", "MODIFY"])
def test_change_of_a_written_item_has_its_new_image(event_name: str) -> None:
    expected = Change(KEY, IMAGE, SECOND * 1_000_000, NUMBER)
    assert parse(record(event_name)) == expected
    assert parse(record(event_name, OldImage={"id": {"S": "rakes"}})) == expected


def test_change_of_a_deleted_item_has_no_image() -> None:
    expected = Change(KEY, None, SECOND * 1_000_000, NUMBER)
    assert parse(record("REMOVE", NewImage=None, OldImage=IMAGE)) == expected
    assert parse(record("REMOVE", NewImage=None)) == expected


def test_expired_item_is_a_deleted_item() -> None:
    expired = record("REMOVE", NewImage=None, OldImage=IMAGE) | {"userIdentity": TTL}
    assert parse(expired) == parse(record("REMOVE", NewImage=None))


@pytest.mark.parametrize(
    "unclear",
    [
        record("INSERT", NewImage=None),
        record("MODIFY", NewImage=None),
        record("MODIFY", NewImage={}),
        record("MODIFY", NewImage="text"),
        record("UPSERT"),
        record(None),
        record("remove", NewImage=None),
        record("UPSERT", NewImage=None),
    ],
    ids=["INSERT", "MODIFY", "empty", "no image", "unknown event", "no event", "lower case", "unknown without image"],
)
def test_image_is_unknown_without_a_new_image_or_a_known_event_name(unclear: dict[str, Any]) -> None:
    assert parse(unclear) == Change(KEY, None, SECOND * 1_000_000, NUMBER, image_known=False)


@pytest.mark.parametrize("time", [None, "2026-11-24T00:00:00Z", {}])
def test_image_is_unknown_without_a_time(time: Any) -> None:
    assert parse(record(ApproximateCreationDateTime=time)) == Change(KEY, None, 0, NUMBER, image_known=False)


@pytest.mark.parametrize("keys", [None, {}, "rakes", [KEY]])
def test_record_without_keys_is_malformed_and_has_its_sequence_number(keys: Any) -> None:
    assert parse(record(Keys=keys)) == Malformed(NUMBER, "the stream record has no Keys")


@pytest.mark.parametrize(
    "not_a_record",
    [
        {},
        {"dynamodb": None},
        {"dynamodb": []},
        record(SequenceNumber=None),
        record(SequenceNumber=""),
        record(SequenceNumber=5),
        record(SequenceNumber="-5"),
        record(SequenceNumber="shard-1"),
        "text",
        None,
    ],
    ids=str,
)
def test_record_without_a_sequence_number_raises_value_error(not_a_record: Any) -> None:
    with pytest.raises(ValueError, match=r"without dynamodb\.SequenceNumber"):
        parse(not_a_record)


@pytest.mark.parametrize(
    ("time", "expected_us"),
    [
        (SECOND, SECOND * 1_000_000),
        (float(SECOND), SECOND * 1_000_000),
        (1_479_499_740.123456, 1_479_499_740_123_456),
        (1_085_647_940.8049, 1_085_647_940_804_900),
        (4_102_444_800.999999, 4_102_444_800_999_999),
        (Decimal("1479499740.123456"), 1_479_499_740_123_456),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), SECOND * 1_000_000),
        (datetime(2023, 11, 14, 22, 13, 20, 999_999, tzinfo=UTC), SECOND * 1_000_000 + 999_999),
        (datetime(2023, 11, 15, 3, 43, 20, tzinfo=timezone(timedelta(hours=5, minutes=30))), SECOND * 1_000_000),
        (datetime(2100, 1, 1, 0, 0, 0, 1, tzinfo=UTC), 4_102_444_800_000_001),
    ],
    ids=str,
)
def test_time_is_the_same_in_every_form(time: Any, expected_us: int) -> None:
    assert time_us(time) == expected_us
    parsed = parse(record(ApproximateCreationDateTime=time))
    assert isinstance(parsed, Change)
    assert parsed.time_us == expected_us


def test_record_is_the_same_from_lambda_and_from_getrecords() -> None:
    moment = datetime.fromtimestamp(SECOND, UTC)
    from_lambda = parse(record(NewImage=IMAGE | {"b": {"B": "AP8="}}))
    from_boto = parse(record(NewImage=IMAGE | {"b": {"B": b"\x00\xff"}}, ApproximateCreationDateTime=moment))
    assert isinstance(from_lambda, Change)
    assert isinstance(from_boto, Change)
    assert from_lambda.image is not None
    assert from_boto.image is not None
    assert plain(from_lambda.image) == plain(from_boto.image)
    assert (from_lambda.time_us, from_lambda.key) == (from_boto.time_us, from_boto.key)


def test_records_of_a_lambda_event() -> None:
    assert records_of({"Records": [record()]}) == [record()]
    assert records_of({"Records": []}) == []


@pytest.mark.parametrize("event", [{}, {"Records": None}, {"Records": {}}, {"Records": "x"}, [], "x", None], ids=str)
def test_event_without_records_raises_value_error(event: Any) -> None:
    with pytest.raises(ValueError, match="not a DynamoDB Streams event"):
        records_of(event)
