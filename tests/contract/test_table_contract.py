"""Contract of a table and its stream: one suite for the fake and the local stack's DynamoDB."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import dynadex
from dynadex import clients
from dynadex.change import Change
from dynadex.clock import SystemClock
from dynadex.document.identity import KeySchema, document_id
from dynadex.document.typed_json import plain
from dynadex.errors import SourceError
from dynadex.local.stack import Endpoints
from dynadex.refill.slices import Slice
from dynadex.settings import RuntimeSettings
from dynadex.source.shard_reader import ShardReader, StreamTrimmedError, list_shards
from dynadex.source.stream_event import parse
from dynadex.source.table import Condition, ConditionFailed, Table, TableDescription
from dynadex.source.table_scan import TableScan
from dynadex.testing import InMemoryTable
from tests.contract.differences import SPELLING_KEPT, TABLE

TEXT = KeySchema(("id",), ("S",))
NUMBER = KeySchema(("n",), ("N",))
BINARY = KeySchema(("b",), ("B",))
# The sort key sorts before the partition key by name: the order must come from their roles.
COMPOSITE = KeySchema(("partition", "at"), ("S", "N"))

Item = dict[str, Any]
NO_SHARD = "shardId-00000000000000000000-99999999"


@dataclass(frozen=True)
class Backend:
    """A database. ``make`` creates a table of this name and key, and returns clients for it and its stream."""

    name: str
    make: Callable[[str, KeySchema], tuple[Any, Any]]

    def differs(self, behaviour: str) -> bool:
        return behaviour in TABLE[self.name]


@pytest.fixture(scope="session", params=list(TABLE))
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    if request.param == "memory":
        request.getfixturevalue("report_backend")(f"memory table {dynadex.__version__}")

        def in_memory(name: str, schema: KeySchema) -> tuple[Any, Any]:
            table = InMemoryTable(name, schema, SystemClock())
            return table, table

        yield Backend("memory", in_memory)
        return
    endpoints: Endpoints = request.getfixturevalue("local_stack")
    settings = RuntimeSettings(dynamodb_url=endpoints.dynamodb)
    client, streams = clients.dynamodb(settings), clients.dynamodb_streams(settings)

    def in_ministack(name: str, schema: KeySchema) -> tuple[Any, Any]:
        create_table(client, name, schema, {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
        return client, streams

    yield Backend("ministack", in_ministack)
    client.close()
    streams.close()


def create_table(client: Any, name: str, schema: KeySchema, stream: dict[str, Any]) -> None:
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": n, "KeyType": k} for n, k in zip(schema.names, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[
            {"AttributeName": n, "AttributeType": t} for n, t in sorted(zip(schema.names, schema.types, strict=True))
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification=stream,
    )


class Made:
    """The table of one test."""

    def __init__(self, backend: Backend, schema: KeySchema = TEXT) -> None:
        self.name = f"contract-{uuid.uuid4().hex[:12]}"
        self.schema = schema
        self.client, self.streams = backend.make(self.name, schema)
        self.table = Table(self.client, self.name)

    def fill(self, count: int) -> list[str]:
        ids = [f"item-{position:04}" for position in range(count)]
        for identity in ids:
            self.table.put(text(identity))
        return ids

    def scan(self, limit: int | None = None, segment: int = 0, total_segments: int = 1) -> list[list[Item]]:
        """Return the items of each page."""
        scan = TableScan(self.client, self.name, SystemClock(), segment=segment, total_segments=total_segments)
        pages, start = [], None
        while True:
            page = scan.page(start, limit)
            pages.append([dict(item) for item in page.items])
            start = page.last_evaluated_key
            if start is None:
                return pages

    def reader(self, after: str | None = None) -> ShardReader:
        arn = self.table.describe().usable_stream()
        [shard] = list_shards(self.streams, arn)
        return ShardReader(self.streams, arn, shard.shard_id, after)

    def changes(self, after: str | None = None) -> list[Change]:
        read = self.reader(after).read(1000)
        assert not read.ended
        parsed = [parse(record) for record in read.records]
        changes = [change for change in parsed if isinstance(change, Change)]
        assert len(changes) == len(parsed)
        return changes


@pytest.fixture
def made(backend: Backend) -> Made:
    return Made(backend)


def text(identity: str, **attributes: Any) -> Item:
    return {"id": {"S": identity}, **attributes}


class TestTable:
    """Description of the table, and single items."""

    @pytest.mark.parametrize("schema", [TEXT, NUMBER, BINARY, COMPOSITE], ids=lambda schema: "+".join(schema.types))
    def test_key_is_described_partition_first(self, backend: Backend, schema: KeySchema) -> None:
        made = Made(backend, schema)
        description = made.table.describe()
        assert description.schema == schema
        assert description.name == made.name
        assert description.stream_view == "NEW_AND_OLD_IMAGES"
        assert made.name in description.usable_stream()

    def test_missing_table_raises(self, made: Made) -> None:
        missing = Table(made.client, "contract-none")
        for call in (
            missing.describe,
            lambda: missing.put(text("a")),
            lambda: missing.delete(text("a")),
            lambda: missing.read_items([text("a")]),
            lambda: TableScan(made.client, "contract-none", SystemClock()).page(None),
        ):
            with pytest.raises(SourceError, match="it does not exist") as caught:
                call()
            assert not caught.value.retryable

    def test_item_is_read_as_last_written(self, made: Made) -> None:
        item = text("a", s={"S": "é🎻\0"}, n={"N": "12345678901234567890123456789012345678"}, t={"BOOL": True})
        item |= {
            "l": {"L": [{"NULL": True}]},
            "m": {"M": {"in": {"S": ""}}},
            "b": {"B": b"\x00\xff"},
            "ss": {"SS": ["a"]},
        }
        made.table.put(text("a", old={"S": "x"}))
        made.table.put(item)
        assert made.table.read_items([{"id": {"S": "a"}}]) == [item]

    def test_item_is_deleted_once(self, made: Made) -> None:
        made.table.put(text("a"))
        assert made.table.delete(text("a"))
        assert not made.table.delete(text("a"))
        assert made.table.read_items([text("a")]) == [None]

    def test_has_items_reflects_the_last_write(self, made: Made) -> None:
        assert not made.table.has_items()
        item = {"id": {"S": "a"}, "n": {"N": "1"}}
        made.table.put(item)
        assert made.table.has_items()
        made.table.delete({"id": {"S": "a"}})
        assert not made.table.has_items()

    def test_items_are_read_in_the_order_of_the_keys(self, made: Made) -> None:
        made.fill(250)
        ids = ["item-0249", "never", "item-0000", *(f"item-{position:04}" for position in range(240)), "item-0249"]
        items = made.table.read_items([text(identity) for identity in ids])
        assert [item and item["id"]["S"] for item in items] == [
            None if identity == "never" else identity for identity in ids
        ]
        assert made.table.read_items([]) == []

    def test_number_key_is_found_in_any_spelling(self, backend: Backend) -> None:
        made = Made(backend, COMPOSITE)
        made.table.put({"partition": {"S": "a"}, "at": {"N": "1.50"}, "v": {"S": "x"}})
        keys = [{"partition": {"S": "a"}, "at": {"N": spelled}} for spelled in ("1.5", "1.50", "15E-1", "1.5", "1.6")]
        items = made.table.read_items(keys)
        assert [item and item["v"]["S"] for item in items] == ["x", "x", "x", "x", None]

    def test_binary_key_is_accepted_as_bytes_and_as_base64_text(self, backend: Backend) -> None:
        made = Made(backend, BINARY)
        made.table.put({"b": {"B": b"\x00\xff"}, "v": {"S": "x"}})
        items = made.table.read_items([{"b": {"B": b"\x00\xff"}}, {"b": {"B": "AP8="}}, {"b": {"B": "AAA="}}])
        assert [item and item["v"]["S"] for item in items] == ["x", "x", None]
        assert made.table.delete({"b": {"B": "AP8="}})
        assert made.table.read_items([{"b": {"B": b"\x00\xff"}}]) == [None]

    def test_condition_absent_rejects_an_existing_item(self, made: Made) -> None:
        absent = Condition.absent("id")
        made.table.put(text("a", v={"N": "1"}), absent)
        with pytest.raises(ConditionFailed) as failed:
            made.table.put(text("a", v={"N": "2"}), absent)
        assert failed.value.current == text("a", v={"N": "1"})
        assert not failed.value.retryable
        assert made.table.read_items([text("a")]) == [text("a", v={"N": "1"})]

    @pytest.mark.parametrize(
        ("there", "expected", "holds"),
        [
            ({"v": {"N": "3"}}, 3, True),
            ({"v": {"N": "3"}}, 2, False),
            ({"v": {"N": "3"}}, 0, False),
            ({"v": {"N": "0"}}, 0, True),
            ({}, 0, True),
            ({}, 1, False),
            ({"v": {"S": "3"}}, 3, False),
            ({"v": {"S": "3"}}, 0, False),
            (None, 0, False),
            (None, 1, False),
        ],
    )
    def test_item_is_changed_only_from_the_expected_version(
        self, made: Made, there: Item | None, expected: int, holds: bool
    ) -> None:
        before = None if there is None else text("a", **there)
        for change in (
            lambda: made.table.put(text("a", new={"S": "x"}), Condition.version("id", "v", expected)),
            lambda: made.table.delete(text("a"), Condition.version("id", "v", expected)),
        ):
            if before:
                made.table.put(before)
            if holds:
                change()
                continue
            with pytest.raises(ConditionFailed, match="not the expected one") as failed:
                change()
            assert failed.value.current == before
            assert made.table.read_items([text("a")]) == [before]

    def test_failed_condition_returns_binary_values_as_read(self, made: Made) -> None:
        item = text("a", b={"B": b"\x00\xff"}, bs={"BS": [b"\x01"]}, v={"N": "1"})
        made.table.put(item)
        with pytest.raises(ConditionFailed) as failed:
            made.table.put(text("a"), Condition.version("id", "v", 2))
        assert failed.value.current == item

    @pytest.mark.parametrize(
        ("arn", "view", "reason"),
        [(None, None, "has no stream"), ("arn", "KEYS_ONLY", "KEYS_ONLY"), ("arn", "OLD_IMAGE", "OLD_IMAGE")],
    )
    def test_unusable_stream_raises_with_the_command_to_enable_one(
        self, arn: str | None, view: str | None, reason: str
    ) -> None:
        with pytest.raises(SourceError, match=rf"{reason}.*StreamViewType=NEW_AND_OLD_IMAGES"):
            TableDescription("songs", TEXT, arn, view, 0).usable_stream()

    @pytest.mark.parametrize("view", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
    def test_stream_with_new_images_is_usable(self, view: str) -> None:
        assert TableDescription("songs", TEXT, "arn", view, 0).usable_stream() == "arn"

    def test_table_without_a_stream_has_no_stream_arn(self, local_stack: Endpoints) -> None:
        name, client = (
            f"contract-{uuid.uuid4().hex[:12]}",
            clients.dynamodb(RuntimeSettings(dynamodb_url=local_stack.dynamodb)),
        )
        create_table(client, name, TEXT, {"StreamEnabled": False})
        description = Table(client, name).describe()
        assert (description.stream_arn, description.stream_view) == (None, None)
        client.close()


class TestScan:
    """Pages that cover the table, with each item once."""

    @pytest.mark.parametrize("limit", [1, 7, 20, 21, None])
    def test_pages_cover_the_table_once(self, made: Made, limit: int | None) -> None:
        ids = made.fill(20)
        pages = made.scan(limit)
        assert sorted(item["id"]["S"] for page in pages for item in page) == ids
        assert all(len(page) <= (limit or 20) for page in pages)
        # A scan that stops at its limit does not check whether more items follow.
        assert len(pages) == (1 if limit is None else 20 // limit + 1)

    def test_empty_table_is_one_empty_page(self, made: Made) -> None:
        assert made.scan() == made.scan(limit=5) == [[]]

    @pytest.mark.parametrize("total_segments", [1, 2, 5, 40])
    def test_segments_cover_the_table_once(self, made: Made, total_segments: int) -> None:
        ids = made.fill(20)
        scanned = []
        for segment in range(total_segments):
            scanned += [item["id"]["S"] for page in made.scan(3, segment, total_segments) for item in page]
        assert sorted(scanned) == ids

    @pytest.mark.parametrize(
        ("schema", "keys"),
        [
            (NUMBER, [{"n": {"N": number}} for number in ("-1.5", "0", "3", "100000000000000000000", "0.5")]),
            (BINARY, [{"b": {"B": content}} for content in (b"\x00", b"\xff\xfe", b"a", b"\x00\x00")]),
            (COMPOSITE, [{"partition": {"S": p}, "at": {"N": n}} for p in ("a|", "é🎻") for n in ("1", "2.5", "-3")]),
        ],
        ids=["number", "binary", "composite"],
    )
    def test_scan_resumes_from_a_key_serialized_as_json(
        self, backend: Backend, schema: KeySchema, keys: list[Item]
    ) -> None:
        made = Made(backend, schema)
        for key in keys:
            made.table.put(key)
        scan = TableScan(made.client, made.name, SystemClock())
        scanned: list[str] = []
        event: dict[str, Any] = {}
        while True:
            page = scan.page(Slice.from_event(event).start_key, 1)
            scanned += [document_id(schema, item) for item in page.items]
            event = json.loads(json.dumps(Slice(page.last_evaluated_key).as_event()))
            if not event:
                break
        assert sorted(scanned) == sorted(document_id(schema, key) for key in keys)

    def test_page_has_the_time_of_its_request(self, made: Made) -> None:
        before = SystemClock().now_us()
        page = TableScan(made.client, made.name, SystemClock()).page(None)
        assert before <= page.requested_at_us <= SystemClock().now_us()

    def test_page_includes_the_last_write(self, made: Made) -> None:
        for version in range(20):
            made.table.put(text("a", v={"N": str(version)}))
            assert [plain(item)["v"] for [item] in made.scan()] == [version]


class TestStream:
    """Records in the order of the changes, from any position, repeatedly."""

    def test_each_change_is_one_record_in_order(self, made: Made) -> None:
        made.table.put(text("a", v={"N": "1"}))
        made.table.put(text("b"))
        made.table.put(text("a", v={"N": "2"}))
        made.table.delete(text("a"))
        made.table.put(text("a"))
        changes = made.changes()
        assert [(change.key["id"]["S"], change.image) for change in changes] == [
            ("a", text("a", v={"N": "1"})),
            ("b", text("b")),
            ("a", text("a", v={"N": "2"})),
            ("a", None),
            ("a", text("a")),
        ]
        assert all(change.image_known for change in changes)

    def test_sequence_numbers_increase_as_integers(self, made: Made) -> None:
        made.fill(30)
        numbers = [int(change.sequence_number) for change in made.changes()]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == 30

    def test_record_times_are_rounded_down_to_the_second(self, made: Made) -> None:
        before = SystemClock().now_us()
        made.fill(3)
        after = SystemClock().now_us()
        for change in made.changes():
            assert change.time_us % 1_000_000 == 0
            assert before - 1_000_000 < change.time_us <= after

    def test_record_of_a_removed_item_has_its_key_only(self, made: Made) -> None:
        made.table.put(text("a", v={"S": "x"}))
        made.table.delete(text("a"))
        change = made.changes()[-1]
        assert (change.key, change.image, change.image_known) == (text("a"), None, True)

    def test_write_that_changes_nothing_adds_no_record(self, made: Made) -> None:
        made.table.delete(text("never"))
        made.table.put(text("a", v={"S": "x"}))
        made.table.put(text("a", v={"S": "x"}))
        made.table.delete(text("a"))
        made.table.delete(text("a"))
        assert [change.image for change in made.changes()] == [text("a", v={"S": "x"}), None]

    @pytest.mark.parametrize("read_before", [1, 4, 9, 10])
    def test_reading_resumes_after_any_record(self, made: Made, read_before: int) -> None:
        ids = made.fill(10)
        after = made.changes()[read_before - 1].sequence_number
        assert [change.key["id"]["S"] for change in made.changes(after)] == ids[read_before:]

    def test_reader_follows_later_records(self, made: Made) -> None:
        reader = made.reader()
        assert list(reader.read(10).records) == []
        ids = made.fill(5)
        read_ids: list[str] = []
        for _ in range(4):
            read = reader.read(2)
            assert len(read.records) <= 2
            assert not read.ended
            read_ids += [record["dynamodb"]["Keys"]["id"]["S"] for record in read.records]
        assert read_ids == ids

    @pytest.mark.parametrize(
        ("schema", "key"),
        [
            (BINARY, {"b": {"B": b"\x00\xff"}}),
            (NUMBER, {"n": {"N": "-1.5"}}),
            (COMPOSITE, {"partition": {"S": "a|b"}, "at": {"N": "7"}}),
        ],
        ids=["binary", "number", "composite"],
    )
    def test_record_and_scanned_item_have_the_same_document_id(
        self, backend: Backend, schema: KeySchema, key: Item
    ) -> None:
        made = Made(backend, schema)
        made.table.put(key | {"v": {"B": b"\xfe"}})
        [[scanned]] = made.scan()
        made.table.delete(key)
        changes = made.changes()
        assert {document_id(schema, change.key) for change in changes} == {document_id(schema, scanned)}
        assert changes[0].image is not None
        assert plain(changes[0].image)["v"] == "/g=="

    def test_unknown_shard_raises_stream_trimmed(self, made: Made) -> None:
        arn = made.table.describe().usable_stream()
        with pytest.raises(StreamTrimmedError, match="dynadex refill"):
            ShardReader(made.streams, arn, NO_SHARD, None).read(1)

    def test_new_table_has_one_shard_without_a_parent(self, made: Made) -> None:
        [shard] = list_shards(made.streams, made.table.describe().usable_stream())
        assert shard.parent is None


class TestKnownDifferences:
    """Each difference is asserted where it is listed, and its absence elsewhere, so that a wrong list fails."""

    @pytest.mark.parametrize(("written", "stored"), [("1.50", "1.5"), ("-0", "0"), ("1E+3", "1000")])
    def test_number_is_stored_in_one_spelling(self, made: Made, backend: Backend, written: str, stored: str) -> None:
        made.table.put(text("a", n={"N": written}))
        [item] = made.table.read_items([text("a")])
        assert item is not None
        assert item["n"]["N"] in (written, stored)
        assert (item["n"]["N"] == written) is backend.differs(SPELLING_KEPT)
