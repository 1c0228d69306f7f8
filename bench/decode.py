"""Processor time per change, from a stream event of Lambda or a response of GetRecords to the bytes of a bulk request.

There are two baselines, which both read numbers as floats, while dynadex keeps every digit:

- ``deserialize``: boto3's TypeDeserializer and json.dumps, compared with the conversion of an item to a document body.
- ``published``: in addition, what widely copied streaming functions do with a record: the table from the ARN, the id
  from its keys, and both lines of the bulk body. Compared with the whole conversion.

The Lambda runtime parses the event's JSON before it calls a function. A worker parses the response of GetRecords; its
baseline is a boto3 client that parses the same bytes, followed by ``published``. No request is sent in either case.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import boto3
import orjson
from boto3.dynamodb.types import TypeDeserializer
from botocore.awsrequest import AWSResponse

from bench.ratios import Ratios, cpu_seconds
from dynadex import Sync, clients
from dynadex.change import Change
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import typed
from dynadex.gc_tuning import infrequent_gc
from dynadex.index.bulk import External, Write
from dynadex.settings import RuntimeSettings
from dynadex.source.stream_event import parse
from tests.songs import all_songs

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_ROUNDS = 9
_SCHEMA = KeySchema(("id",), ("S",))
_PLAIN = Sync(table="lessons", index="lessons")
_WITH_FUNCTION = Sync(table="lessons", index="lessons", document=lambda item: item)
Record = dict[str, Any]
Conversion = Callable[[list[Record]], int]
_PAGE = 1000
_SENDING = "before-send.dynamodb-streams.GetRecords"
_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/lessons/stream/2026-11-24T00:00:00.000"


def main() -> Iterator[str]:
    """Yield the results."""
    songs = [record(number, song) for number, song in enumerate(all_songs())]
    wide = [record(number, _wide_item(number)) for number in range(500)]
    # No request is sent, so the endpoint does not matter.
    settings = RuntimeSettings(dynamodb_url="http://127.0.0.1:1")
    worker_client = clients.dynamodb_streams(settings)
    plain_client = boto3.client(
        "dynamodbstreams", "us-east-1", endpoint_url=settings.dynamodb_url,
        aws_access_key_id="local", aws_secret_access_key="local",
    )  # fmt: skip
    for name, records in ((f"{len(songs):,} songs", songs), ("500 wide records", wide)):
        replies = _replies(records)
        for conversion, baseline, candidate in (
            ("image to body", _deserialize, partial(_bodies, _PLAIN)),
            ("event to bulk body", _published, _DYNADEX),
            ("the same with a document function", _published, partial(_whole, _WITH_FUNCTION)),
            (
                "GetRecords' reply to bulk body",
                _from_replies(plain_client, _published, replies),
                _as_the_worker(_from_replies(worker_client, _DYNADEX, replies)),
            ),
        ):
            yield _compared(f"{conversion}, {name}", baseline, candidate, records)


def _compared(name: str, baseline: Conversion, candidate: Conversion, records: list[Record]) -> str:
    ratios = Ratios()
    for _ in range(_ROUNDS):
        baseline_seconds = cpu_seconds(lambda: baseline(records))
        ratios.add(baseline_seconds, cpu_seconds(lambda: candidate(records)))
    each = ratios.candidate_median / len(records) * 1e6
    return f"{name}: {ratios} the baseline's speed; {each:.1f} us of CPU each"


def _bodies(sync: Sync, records: list[Record]) -> int:
    return sum(len(sync.build(record["dynamodb"]["NewImage"]).body or b"") for record in records)


def _whole(sync: Sync, records: list[Record]) -> int:
    return len(b"".join(_lines(sync, records)))


def _lines(sync: Sync, records: list[Record]) -> Iterator[bytes]:
    for record in records:
        change = parse(record)
        assert isinstance(change, Change)
        yield Write(document_id(_SCHEMA, change.key), sync.build(change.image).body, External(change.time_us)).encoded()


def _replies(records: list[Record]) -> list[bytes]:
    """Return responses of GetRecords with 1,000 records each."""
    pages = [records[start : start + _PAGE] for start in range(0, len(records), _PAGE)]
    return [orjson.dumps({"Records": page, "NextShardIterator": "next"}) for page in pages]


def _from_replies(client: DynamoDBStreamsClient, conversion: Conversion, replies: Sequence[bytes]) -> Conversion:
    """Return a conversion whose records the client parses from stored responses."""

    def read(_: list[Record]) -> int:
        size = 0
        for reply in replies:
            client.meta.events.register_first(_SENDING, partial(_answer, reply), _SENDING)
            size += conversion(cast(Any, client.get_records(ShardIterator="next")["Records"]))
            client.meta.events.unregister(_SENDING, unique_id=_SENDING)
        return size

    return read


def _as_the_worker(conversion: Conversion) -> Conversion:
    """Return the conversion with the garbage collection settings of `dynadex run`."""

    def read(records: list[Record]) -> int:
        with infrequent_gc():
            return conversion(records)

    return read


def _answer(reply: bytes, **_: Any) -> Any:
    return AWSResponse("", 200, cast(Any, {"Content-Type": "application/x-amz-json-1.0"}), _Raw(reply))


class _Raw(io.BytesIO):
    """A body that botocore can read as urllib3's."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


_DYNADEX = partial(_whole, _PLAIN)


class _StreamDeserializer(TypeDeserializer):
    def _deserialize_n(self, value: str) -> float:
        return float(value)

    def _deserialize_b(self, value: str) -> str:
        return value


def _deserialize(records: list[Record]) -> int:
    deserializer = _StreamDeserializer()
    return sum(
        len(json.dumps(deserializer.deserialize({"M": record["dynamodb"]["NewImage"]}), default=sorted).encode())
        for record in records
    )


def _published(records: list[Record]) -> int:
    deserializer = _StreamDeserializer()
    lines = []
    for record in records:
        change = record["dynamodb"]
        index = record.get("eventSourceARN", _ARN).split(":")[5].split("/")[1].lower()
        if record["eventName"].upper() in ("INSERT", "MODIFY"):
            document = deserializer.deserialize({"M": change["NewImage"]})
            keys = change["Keys"]
            identity = "|".join(f"{name}={deserializer.deserialize(keys[name])}" for name in sorted(keys))
            lines.append(json.dumps({"index": {"_index": index, "_id": identity}}))
            lines.append(json.dumps(document, default=sorted))
    lines.append("")
    return len("\n".join(lines).encode())


def record(number: int, item: dict[str, Any]) -> Record:
    """Return a stream record of an item, as Lambda receives it."""
    image = typed(item)["M"]
    body = {
        "ApproximateCreationDateTime": 1_700_000_000 + number,
        "Keys": {"id": image["id"]},
        "NewImage": image,
        "SequenceNumber": str(10**20 + number),
    }
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "eventSourceARN": _ARN, "dynamodb": body}


def _wide_item(number: int) -> dict[str, Any]:
    """Return an item with 60 attributes: text, numbers with many digits, lists and maps."""
    item: dict[str, Any] = {"id": f"wide-{number}"}
    for position in range(15):
        item[f"text{position}"] = f"The Rakes of Mallow {position} " * 3
        item[f"number{position}"] = Decimal(f"{number}.{position}12345678901234567890")
        item[f"list{position}"] = [number, "a", True, None, {"deep": ["er", position]}]
        item[f"map{position}"] = {"a": {"b": {"c": number}}, "d": "e"}
    return item
