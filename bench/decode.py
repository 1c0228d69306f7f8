"""CPU per change: a stream event, as Lambda hands it over, to the bytes of a bulk body.

Baseline: boto3's TypeDeserializer and json.dumps, the way published Lambda functions do it.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from dynadex import Sync
from dynadex.change import Change
from dynadex.demo.songs import lessons
from dynadex.document.identity import KeySchema, document_id
from dynadex.index.bulk import External, Write
from dynadex.source.attribute_values import typed
from dynadex.source.stream_event import parse

_ROUNDS = 7
_SCHEMA = KeySchema(("id",), ("S",))
_SYNC = Sync(table="lessons", index="lessons")


def main() -> None:
    songs = [_record(number, lesson) for number, lesson in enumerate(lessons())]
    wide = [_record(number, _wide_item(number)) for number in range(500)]
    for name, records in (("songs", songs), ("wide records", wide)):
        ratios, ours = _ratios(records)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"event to bulk body, {name}: {statistics.median(ratios):.2f} x the baseline's speed ({spread}, "
            f"{_ROUNDS} rounds); {statistics.median(ours) / len(records) * 1e6:.1f} us of CPU per change"
        )


def _ratios(records: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    ratios, ours = [], []
    for _ in range(_ROUNDS):
        baseline = _cpu_seconds(_published_way, records)
        ours.append(_cpu_seconds(_our_way, records))
        ratios.append(baseline / ours[-1])
    return ratios, ours


def _cpu_seconds(way: Callable[[list[dict[str, Any]]], int], records: list[dict[str, Any]]) -> float:
    before = time.process_time()
    way(records)
    return time.process_time() - before


def _our_way(records: list[dict[str, Any]]) -> int:
    return sum(len(part) for part in _our_lines(records))


def _our_lines(records: list[dict[str, Any]]) -> Iterator[bytes]:
    for record in records:
        change = parse(record)
        assert isinstance(change, Change)
        identity = document_id(_SCHEMA, change.key)
        yield Write(identity, _SYNC.build(change.image).body, External(change.time_us)).encoded()


def _published_way(records: list[dict[str, Any]]) -> int:
    deserializer = TypeDeserializer()
    lines = []
    for record in records:
        image = record["dynamodb"]["NewImage"]
        document = {name: deserializer.deserialize(value) for name, value in image.items()}
        lines.append(json.dumps({"index": {"_id": document["id"]}}))
        lines.append(json.dumps(document, default=_as_float))
    return len("\n".join(lines).encode())


def _as_float(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else float(value)


def _record(number: int, item: dict[str, Any]) -> dict[str, Any]:
    image = typed(item)["M"]
    body = {
        "ApproximateCreationDateTime": 1_700_000_000 + number,
        "Keys": {"id": image["id"]},
        "NewImage": image,
        "SequenceNumber": str(10**20 + number),
    }
    return {"eventName": "INSERT", "dynamodb": body}


def _wide_item(number: int) -> dict[str, Any]:
    """60 attributes: text, numbers of many digits, lists and maps."""
    item: dict[str, Any] = {"id": f"wide-{number}"}
    for position in range(15):
        item[f"text{position}"] = f"The Rakes of Mallow {position} " * 3
        item[f"number{position}"] = Decimal(f"{number}.{position}12345678901234567890")
        item[f"list{position}"] = [number, "a", True, None, {"deep": ["er", position]}]
        item[f"map{position}"] = {"a": {"b": {"c": number}}, "d": "e"}
    return item
