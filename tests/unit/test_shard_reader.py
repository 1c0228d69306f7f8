"""Reading one shard of a scripted stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from dynadex.errors import SourceError, SourceUnavailable
from dynadex.source.shard_reader import ShardReader, StreamTrimmedError, list_shards
from dynadex.source.shards import Shard
from dynadex.testing import InMemoryTable


def filled(*ids: str) -> InMemoryTable:
    table = InMemoryTable()
    for identity in ids:
        table.put({"id": {"S": identity}})
    return table


def reader(table: Any, after: str | None = None, shard_id: str = "shard-0") -> ShardReader:
    return ShardReader(table, table.stream_arn, shard_id, after)


def ids_of(records: Any) -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in records]


class Failing(InMemoryTable):
    """A stream whose calls raise the errors in ``trouble``."""

    trouble: Iterator[Exception | None] = iter(())

    def get_records(self, **request: Any) -> dict[str, Any]:
        error = next(self.trouble, None)
        if error:
            raise error
        return super().get_records(**request)


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "as reported"}}, "GetRecords")


def test_records_are_read_once_in_order() -> None:
    table = filled("a", "b", "c")
    reading = reader(table)
    assert ids_of(reading.read(2).records) == ["a", "b"]
    assert ids_of(reading.read(2).records) == ["c"]
    assert reading.read(2).records == []
    table.put({"id": {"S": "d"}})
    assert ids_of(reading.read(2).records) == ["d"]


def test_open_shard_does_not_end() -> None:
    reading = reader(filled("a"))
    assert [reading.read(10).ended for _ in range(3)] == [False] * 3


@pytest.mark.parametrize("done", [1, 2, 3])
def test_reading_starts_after_the_acknowledged_record(done: int) -> None:
    table = filled("a", "b", "c")
    after = table.records()[done - 1]["dynamodb"]["SequenceNumber"]
    assert ids_of(reader(table, after).read(10).records) == ["a", "b", "c"][done:]


@pytest.mark.parametrize("read_before", [0, 1, 3])
def test_expired_iterator_neither_skips_nor_repeats_records(read_before: int) -> None:
    table = filled("a", "b", "c")
    reading = reader(table)
    earlier = ids_of(reading.read(read_before).records) if read_before else []
    reading.read(0)
    table.expire_iterators()
    table.put({"id": {"S": "d"}})
    assert earlier + ids_of(reading.read(10).records) == ["a", "b", "c", "d"]


def test_closed_shard_is_read_to_its_end() -> None:
    table = filled("a", "b")
    children = table.split("shard-0")
    table.put({"id": {"S": "c"}})
    reading = reader(table)
    first, last = reading.read(1), reading.read(1)
    assert (ids_of(first.records), first.ended) == (["a"], False)
    assert (ids_of(last.records), last.ended) == (["b"], True)
    again = reading.read(1)
    assert (list(again.records), again.ended) == ([], True)
    assert [name for child in children for name in ids_of(reader(table, shard_id=child).read(9).records)] == ["c"]


def test_finished_shard_ends_with_its_first_read() -> None:
    table = filled("a")
    table.split("shard-0")
    read = reader(table, table.records()[0]["dynamodb"]["SequenceNumber"]).read(1)
    assert (list(read.records), read.ended) == ([], True)


def trim(table: InMemoryTable) -> None:
    table.trim("shard-0", 2)


def drop(table: InMemoryTable) -> None:
    table.forget_shard("shard-0")


@pytest.mark.parametrize("lose", [trim, drop])
@pytest.mark.parametrize("started", [True, False])
def test_records_trimmed_before_they_were_read_stop_the_reader(
    lose: Callable[[InMemoryTable], None], started: bool
) -> None:
    table = filled("a", "b", "c")
    reading = reader(table, table.records()[0]["dynamodb"]["SequenceNumber"])
    if started:
        reading.read(0)
    lose(table)
    with pytest.raises(StreamTrimmedError, match=r"shard shard-0.*Changes were lost.*dynadex refill"):
        reading.read(1)


def test_first_read_starts_at_the_oldest_record() -> None:
    table = filled("a", "b", "c")
    table.trim("shard-0", 2)
    assert ids_of(reader(table).read(9).records) == ["c"]


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (client_error("ProvisionedThroughputExceededException"), SourceUnavailable),
        (client_error("InternalServerError"), SourceUnavailable),
        (client_error("LimitExceededException"), SourceUnavailable),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), SourceUnavailable),
        (client_error("AccessDeniedException"), SourceError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_error_is_classified_and_loses_no_record(trouble: Exception, expected: type[SourceError]) -> None:
    table = Failing()
    for identity in "abc":
        table.put({"id": {"S": identity}})
    reading = reader(table)
    assert ids_of(reading.read(1).records) == ["a"]
    table.trouble = iter([trouble])
    with pytest.raises(SourceError) as caught:
        reading.read(1)
    assert type(caught.value) is expected
    assert ids_of(reading.read(9).records) == ["b", "c"]


def test_all_pages_of_shards_are_listed() -> None:
    class Paged:
        def describe_stream(self, StreamArn: str, ExclusiveStartShardId: str = "") -> dict[str, Any]:  # noqa: N803
            pages = {"": (["a", "b"], "b"), "b": (["c"], "c"), "c": (["d"], None)}
            names, last = pages[ExclusiveStartShardId]
            description: dict[str, Any] = {"StreamArn": StreamArn, "Shards": [{"ShardId": name} for name in names]}
            return {"StreamDescription": description | ({"LastEvaluatedShardId": last} if last else {})}

    streams: Any = Paged()
    assert list_shards(streams, "arn") == [Shard(name, None) for name in "abcd"]


def test_shards_are_listed_with_their_parents() -> None:
    table: Any = filled("a")
    table.split("shard-0", 2)
    table.split("shard-1", 1)
    assert list_shards(table, table.stream_arn) == [
        Shard("shard-0", None), Shard("shard-1", "shard-0"), Shard("shard-2", "shard-0"), Shard("shard-3", "shard-1"),
    ]  # fmt: skip


def test_error_names_the_stream_that_cannot_be_listed() -> None:
    class Rejecting:
        def describe_stream(self, **request: Any) -> dict[str, Any]:  # noqa: ARG002
            raise client_error("ResourceNotFoundException")

    streams: Any = Rejecting()
    with pytest.raises(SourceError, match="Cannot list the shards of arn:x: it does not exist"):
        list_shards(streams, "arn:x")
