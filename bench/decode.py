"""CPU per change: a stream event, as Lambda hands it over, to the bytes of a bulk body; and from GetRecords' reply.

Two baselines. ``deserialize``: boto3's TypeDeserializer and json.dumps alone, compared with an item's way to its body.
``published``: what the widely copied streaming functions do with a record besides (its table from the ARN, the id from
its keys, both lines of the bulk body), compared with all of ours. Both read numbers as floats; ours keeps every digit.

Lambda's runtime reads the event's JSON before anybody is asked. A worker reads the reply of GetRecords itself: there,
the baseline is what a boto3 client makes of the same bytes, and then ``published``. Nothing is sent in either case.
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
_AS_IT_IS = Sync(table="lessons", index="lessons")
_WITH_FUNCTION = Sync(table="lessons", index="lessons", document=lambda item: item)
Record = dict[str, Any]
Way = Callable[[list[Record]], int]
_PAGE = 1000
_SENDING = "before-send.dynamodb-streams.GetRecords"
_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/lessons/stream/2026-11-24T00:00:00.000"


def main() -> Iterator[str]:
    songs = [record(number, song) for number, song in enumerate(all_songs())]
    wide = [record(number, _wide_item(number)) for number in range(500)]
    # Nothing is sent: where to is of no matter.
    settings = RuntimeSettings(dynamodb_url="http://127.0.0.1:1")
    ours = clients.dynamodb_streams(settings)
    plain = boto3.client(
        "dynamodbstreams", "us-east-1", endpoint_url=settings.dynamodb_url,
        aws_access_key_id="local", aws_secret_access_key="local",
    )  # fmt: skip
    for name, records in ((f"{len(songs):,} songs", songs), ("500 wide records", wide)):
        replies = _replies(records)
        for what, baseline, candidate in (
            ("image to body", _deserialize, partial(_bodies, _AS_IT_IS)),
            ("event to bulk body", _published, _OURS),
            ("the same with a document function", _published, partial(_whole, _WITH_FUNCTION)),
            (
                "GetRecords' reply to bulk body",
                _from_replies(plain, _published, replies),
                _as_the_worker(_from_replies(ours, _OURS, replies)),
            ),
        ):
            yield _compared(f"{what}, {name}", baseline, candidate, records)


def _compared(name: str, baseline: Way, ours: Way, records: list[Record]) -> str:
    ratios = Ratios()
    for _ in range(_ROUNDS):
        theirs = cpu_seconds(lambda: baseline(records))
        ratios.add(theirs, cpu_seconds(lambda: ours(records)))
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
    """What GetRecords answers, a thousand records at once."""
    pages = [records[start : start + _PAGE] for start in range(0, len(records), _PAGE)]
    return [orjson.dumps({"Records": page, "NextShardIterator": "next"}) for page in pages]


def _from_replies(client: DynamoDBStreamsClient, way: Way, replies: Sequence[bytes]) -> Way:
    """The way, for records that the client reads from replies which are here already."""

    def read(_: list[Record]) -> int:
        size = 0
        for reply in replies:
            client.meta.events.register_first(_SENDING, partial(_answer, reply), _SENDING)
            size += way(cast(Any, client.get_records(ShardIterator="next")["Records"]))
            client.meta.events.unregister(_SENDING, unique_id=_SENDING)
        return size

    return read


def _as_the_worker(way: Way) -> Way:
    """As `dynadex run` reads: without a search for garbage at every few hundred objects."""

    def read(records: list[Record]) -> int:
        with infrequent_gc():
            return way(records)

    return read


def _answer(reply: bytes, **_: Any) -> Any:
    return AWSResponse("", 200, cast(Any, {"Content-Type": "application/x-amz-json-1.0"}), _Raw(reply))


class _Raw(io.BytesIO):
    """A body that botocore can read as urllib3's."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


_OURS = partial(_whole, _AS_IT_IS)


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
    """A stream record of an item, as Lambda gets it."""
    image = typed(item)["M"]
    body = {
        "ApproximateCreationDateTime": 1_700_000_000 + number,
        "Keys": {"id": image["id"]},
        "NewImage": image,
        "SequenceNumber": str(10**20 + number),
    }
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "eventSourceARN": _ARN, "dynamodb": body}


def _wide_item(number: int) -> dict[str, Any]:
    """60 attributes: text, numbers of many digits, lists and maps."""
    item: dict[str, Any] = {"id": f"wide-{number}"}
    for position in range(15):
        item[f"text{position}"] = f"The Rakes of Mallow {position} " * 3
        item[f"number{position}"] = Decimal(f"{number}.{position}12345678901234567890")
        item[f"list{position}"] = [number, "a", True, None, {"deep": ["er", position]}]
        item[f"map{position}"] = {"a": {"b": {"c": number}}, "d": "e"}
    return item
