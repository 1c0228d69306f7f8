"""Conversion of stream records to changes, from a Lambda event or GetRecords, which encode values differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from dynadex.change import Change

Record = Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000
# dict first: an isinstance check against an abstract class is slower.
_MAPPINGS = (dict, Mapping)
_TIMES = (int, float, Decimal, datetime)
_ONE_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A stream record without a key. It can only be dead-lettered, by its sequence number."""

    sequence_number: str
    reason: str


def records_of(event: Any) -> Sequence[Record]:
    """Return the records of a Lambda event. Raises ValueError if it is not a DynamoDB Streams event."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise ValueError("not a DynamoDB Streams event: it has no list Records")
    return records


def parse(record: Record) -> Change | Malformed:
    """Return a stream record as a change.

    INSERT and MODIFY contain the new image, REMOVE contains none (a TTL delete is a REMOVE). The change of a record
    with an unknown event name, or without the image that its event implies, has ``image_known=False``: the item is read
    instead. Raises ValueError for a record without a sequence number, which could not even be reported as failed.
    """
    body = record.get("dynamodb") if isinstance(record, _MAPPINGS) else None
    number = body.get("SequenceNumber") if isinstance(body, _MAPPINGS) else None
    if not isinstance(body, _MAPPINGS) or not isinstance(number, str) or not number.isdecimal():
        raise ValueError("a stream record without dynamodb.SequenceNumber: is this a DynamoDB Streams event?")
    key = body.get("Keys")
    if not isinstance(key, _MAPPINGS) or not key:
        return Malformed(number, "the stream record has no Keys")
    time = body.get("ApproximateCreationDateTime")
    if not isinstance(time, _TIMES):
        # Without its time, the change has no version; a read of the item needs none.
        return Change(key, None, 0, number, image_known=False)
    image, known = _image(record.get("eventName"), body.get("NewImage"))
    return Change(key, image, time_us(time), number, known)


def _image(event_name: Any, new_image: Any) -> tuple[Any, bool]:
    if event_name == "REMOVE":
        return None, True
    if event_name in ("INSERT", "MODIFY") and isinstance(new_image, _MAPPINGS) and new_image:
        return new_image, True
    return None, False


def time_us(time: float | Decimal | datetime) -> int:
    """Return the time of a record in microseconds since the epoch; Lambda passes seconds, boto3 a datetime."""
    if isinstance(time, datetime):
        # Not timestamp(): a float barely resolves microseconds.
        return (time - _EPOCH) // _ONE_MICROSECOND
    return round(time * _MICROSECONDS)


def sequence_number(record: Record) -> str:
    """Return the sequence number of a record."""
    return str(record["dynamodb"]["SequenceNumber"])
