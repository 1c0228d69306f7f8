"""Stream records to changes: from a Lambda event, or from GetRecords, which differ only in how they spell values."""

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
# Dicts first: an abstract class takes longer to ask.
_MAPPINGS = (dict, Mapping)
_TIMES = (int, float, Decimal, datetime)
_ONE_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A stream record that names no key: nothing can be done with it but to dead-letter it, named by its number."""

    sequence_number: str
    reason: str


def records_of(event: Any) -> Sequence[Record]:
    """The records of a Lambda event. Raises ValueError when it is not a DynamoDB Streams event."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list):
        raise ValueError("not a DynamoDB Streams event: it has no list called Records")
    return records


def parse(record: Record) -> Change | Malformed:
    """One stream record as a change.

    INSERT and MODIFY carry the new image, REMOVE carries none (a TTL delete is a REMOVE like any other). A record
    of an event we do not know, or without the image its event promises, still names a key: its change says that
    the image is not known, and the item is read instead. Raises ValueError when the record has no sequence
    number, since then it could not even be reported as failed.
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
        # Without its time the change has no version; reading the item needs none.
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
    """A record's time in microseconds since the epoch: Lambda gives seconds as a number, boto3 a datetime."""
    if isinstance(time, datetime):
        # Not timestamp(): a float of today's seconds has microseconds to spare, but only just.
        return (time - _EPOCH) // _ONE_MICROSECOND
    return round(time * _MICROSECONDS)


def sequence_number(record: Record) -> str:
    """A record's sequence number."""
    return str(record["dynamodb"]["SequenceNumber"])
