"""CPU per change: a stream event, as Lambda hands it over, to the bytes of a bulk body.

Two baselines. ``deserialize``: boto3's TypeDeserializer and json.dumps alone, compared with an item's way to its body.
``published``: what the widely copied streaming functions do with a record besides (its table from the ARN, the id from
its keys, both lines of the bulk body), compared with all of ours. Both read numbers as floats; ours keeps every digit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from bench.ratios import Ratios, cpu_seconds
from dynadex import Sync
from dynadex.change import Change
from dynadex.demo.songs import lessons
from dynadex.document.identity import KeySchema, document_id
from dynadex.index.bulk import External, Write
from dynadex.source.attribute_values import typed
from dynadex.source.stream_event import parse

_ROUNDS = 9
_SCHEMA = KeySchema(("id",), ("S",))
_AS_IT_IS = Sync(table="lessons", index="lessons")
_WITH_FUNCTION = Sync(table="lessons", index="lessons", document=lambda item: item)
Record = dict[str, Any]
Way = Callable[[list[Record]], int]


def main() -> Iterator[str]:
    songs = [record(number, lesson) for number, lesson in enumerate(lessons())]
    wide = [record(number, _wide_item(number)) for number in range(500)]
    for name, records in ((f"{len(songs):,} songs", songs), ("500 wide records", wide)):
        yield _compared(f"image to body, {name}", _deserialize, partial(_bodies, _AS_IT_IS), records)
        yield _compared(f"event to bulk body, {name}", _published, partial(_whole, _AS_IT_IS), records)
        yield _compared(
            f"the same with a document function, {name}", _published, partial(_whole, _WITH_FUNCTION), records
        )


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
        index = record["eventSourceARN"].split(":")[5].split("/")[1].lower()
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
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/lessons/stream/2026-11-24T00:00:00.000"
    return {"eventName": "INSERT", "eventSource": "aws:dynamodb", "eventSourceARN": arn, "dynamodb": body}


def _wide_item(number: int) -> dict[str, Any]:
    """60 attributes: text, numbers of many digits, lists and maps."""
    item: dict[str, Any] = {"id": f"wide-{number}"}
    for position in range(15):
        item[f"text{position}"] = f"The Rakes of Mallow {position} " * 3
        item[f"number{position}"] = Decimal(f"{number}.{position}12345678901234567890")
        item[f"list{position}"] = [number, "a", True, None, {"deep": ["er", position]}]
        item[f"map{position}"] = {"a": {"b": {"c": number}}, "d": "e"}
    return item
