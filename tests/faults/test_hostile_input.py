"""Hostile input: each item has its expected document, or is dead-lettered with a readable reason.

It never prevents the other items of its batch from being indexed, and leaves no outdated document.
"""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dynadex import Sync, clients
from dynadex.aws import stream_handler
from dynadex.dead_letters.file import DeadLetterFile
from dynadex.dead_letters.port import StoredLetter
from dynadex.document.body import encode, same
from dynadex.document.identity import canonical_number, document_id
from dynadex.index.apply_records import apply_records
from dynadex.index.bulk import Outcome
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.maintenance.redrive import settle
from dynadex.runtime import Runtime, connect
from dynadex.settings import RuntimeSettings
from dynadex.source.shard_reader import ShardReader, list_shards
from dynadex.source.stream_event import Record, records_of
from dynadex.sync import DocumentFunction
from tests.faults.proxy import Fault, Plan, proxy_to
from tests.waiting import HANG_SECONDS

NOW = time.time()
NUMBERS = count(10**20)
DYNAMIC: dict[str, Any] = {}
STATIC: dict[str, Any] = {"dynamic": False}


def mapped(kind: str) -> dict[str, Any]:
    return {"properties": {"x": {"type": kind}}}


def maps(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(levels):
        value = {"M": {"in": value}}
    return value


def dicts(levels: int) -> Any:
    return {"in": dicts(levels - 1)} if levels else "deep"


def lists(levels: int) -> dict[str, Any]:
    return {"L": [lists(levels - 1)]} if levels else {"S": "deep"}


def b64(content: bytes) -> str:
    return b64encode(content).decode()


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Case:
    """Attributes of an item, and the expected fields of its document, or the reason of its dead letter (a pattern).

    ``before``: attributes of an item that is indexed earlier, from which a dynamic mapping learns. ``typed`` False: not
    valid DynamoDB typed JSON, so that only an event can contain it.
    """

    item: dict[str, Any]
    fields: dict[str, Any] | None = None
    reason: str = ""
    mappings: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    typed: bool = True


DIGITS = "9" * 38
FIELDS = {f"field-{number}": {"N": "1"} for number in range(1001)}
LONG_TEXT = "x" * 400_000

CASES: dict[str, Case] = {
    # Numbers: a document keeps every digit; the mapping decides whether it is indexed.
    "38 digits under a dynamic mapping": Case({"x": {"N": DIGITS}}, reason=r"\[x\].*out of range of long"),
    "38 digits in a long": Case({"x": {"N": DIGITS}}, None, r"\[x\].*out of range of long", mapped("long")),
    "38 digits in an unsigned_long": Case({"x": {"N": DIGITS}}, None, "out of range", mapped("unsigned_long")),
    "38 digits in a double": Case({"x": {"N": DIGITS}}, {"x": int(DIGITS)}, mappings=mapped("double")),
    "38 digits in a keyword": Case({"x": {"N": DIGITS}}, {"x": int(DIGITS)}, mappings=mapped("keyword")),
    "38 digits that are not mapped": Case({"x": {"N": DIGITS}}, {"x": int(DIGITS)}, mappings=STATIC),
    "38 digits with a fraction": Case({"x": {"N": "1." + "2" * 37}}, {"x": Decimal("1." + "2" * 37)}),
    "one past 64 bits": Case({"x": {"N": str(2**63)}}, reason="out of range of long"),
    "1E+125 under a dynamic mapping": Case({"x": {"N": "1E+125"}}, reason="supports only finite values|out of range"),
    "1E+125 in a long": Case({"x": {"N": "1E+125"}}, None, "out of range of long", mapped("long")),
    "1E+125 in a double": Case({"x": {"N": "1E+125"}}, {"x": Decimal("1E+125")}, mappings=mapped("double")),
    "1E+125 in a keyword": Case({"x": {"N": "1E+125"}}, {"x": Decimal("1E+125")}, mappings=mapped("keyword")),
    "1E-130": Case({"x": {"N": "1E-130"}}, {"x": Decimal("1E-130")}),
    "minus zero": Case({"x": {"N": "-0"}}, {"x": 0}),
    "a fraction in a long": Case({"x": {"N": "1.5"}}, {"x": Decimal("1.5")}, mappings=mapped("long")),
    "text that is not a number": Case({"x": {"N": "twelve"}}, reason="'x'.*'twelve' is not a number", typed=False),
    "NaN": Case({"x": {"N": "NaN"}}, reason="'x'.*not a finite number", typed=False),
    "a number that is not written as text": Case({"x": {"N": 12}}, reason="'x'.*got int", typed=False),
    # Empty values of every type.
    "empty text": Case({"x": {"S": ""}}, {"x": ""}),
    "empty text in a date": Case({"x": {"S": ""}}, None, "cannot parse empty date", mapped("date")),
    "empty text in a number": Case({"x": {"S": ""}}, {"x": ""}, mappings=mapped("integer")),
    "an empty set of texts": Case({"x": {"SS": []}}, {"x": []}, typed=False),
    "an empty set of numbers": Case({"x": {"NS": []}}, {"x": []}, typed=False),
    "a set that is null": Case({"x": {"SS": None}}, reason="'x'.*not DynamoDB typed JSON", typed=False),
    "an empty list and an empty map": Case({"x": {"L": []}, "y": {"M": {}}}, {"x": [], "y": {}}),
    "empty binary": Case({"x": {"B": b""}}, {"x": ""}),
    "null": Case({"x": {"NULL": True}}, {"x": None}),
    # Text.
    "a zero byte in a keyword": Case({"x": {"S": "a\0b"}}, {"x": "a\0b"}, mappings=mapped("keyword")),
    "line ends of every kind": Case({"x": {"S": "a\nb\r\u2028\u0085"}}, {"x": "a\nb\r\u2028\u0085"}),
    "half a character": Case({"x": {"S": "\ud800"}}, reason="no JSON form.*surrogates", typed=False),
    "a keyword longer than Lucene takes": Case({"x": {"S": "x" * 40_000}}, None, "immense term", mapped("keyword")),
    "400 KB": Case({"x": {"S": LONG_TEXT}}, {"x": LONG_TEXT}),
    # Depth: DynamoDB takes 32 levels, a mapping 20, whether dynamic or not for lists.
    "as deep as a dynamic mapping goes": Case({"x": maps(19)}, {"x": dicts(19)}),
    "too deep for a dynamic mapping": Case({"x": maps(31)}, reason=r"exceeded the allowed limit of \[20\]"),
    "32 levels that are not mapped": Case({"x": maps(31)}, {"x": dicts(31)}, mappings=STATIC),
    "32 lists in each other": Case({"x": lists(31)}, reason=r"nested array field has exceeded .* \[20\]"),
    # Field names.
    "a.b": Case({"a.b": {"N": "1"}}, {"a.b": 1}),
    "a.b next to a": Case({"a": {"N": "1"}, "a.b": {"N": "2"}}, reason=r"merge a non object mapping \[a\]"),
    "a.b next to a map a": Case({"a": {"M": {"b": {"N": "1"}}}, "a.b": {"N": "2"}}, {"a": {"b": 1}, "a.b": 2}),
    "a..b": Case({"a..b": {"N": "1"}}, reason=r"ambiguous: \[a\.\.b\]"),
    "a..b that is not mapped": Case({"a..b": {"N": "1"}}, None, r"ambiguous: \[a\.\.b\]", STATIC),
    "a dot alone": Case({".": {"N": "1"}}, reason=r"cannot contain only the character \[\.\]"),
    "an empty name": Case({"": {"N": "1"}}, reason="field name cannot be an empty string", typed=False),
    "an empty name in a map": Case({"x": {"M": {"": {"N": "1"}}}}, None, "cannot be an empty string", typed=False),
    "a blank": Case({" ": {"N": "1"}}, {" ": 1}),
    "a name of signs": Case({'a"b\\\n*': {"N": "1"}}, {'a"b\\\n*': 1}),
    "a name of OpenSearch's own": Case({"_id": {"S": "x"}}, reason=r"\[_id\] is a metadata field"),
    "1,001 fields": Case(FIELDS, reason=r"Limit of total fields \[1000\]"),
    "1,001 fields that are not mapped": Case(FIELDS, dict.fromkeys(FIELDS, 1), mappings=STATIC),
    # Types that contradict each other.
    "a number, then a text": Case({"x": {"S": "two"}}, None, r"\[x\] of type \[long\].*two", before={"x": {"N": "1"}}),
    "a text, then a number": Case({"x": {"N": "1"}}, {"x": 1}, before={"x": {"S": "one"}}),
    "a text, then a map": Case({"x": maps(1)}, reason=r"\[x\] of type \[text\]", before={"x": {"S": "one"}}),
    "a number and a text in one list": Case({"x": {"L": [{"N": "1"}, {"S": "two"}]}}, reason=r"from type \[long\] to"),
    "a field that a strict mapping does not contain": Case(
        {"x": {"N": "1"}}, None, r"introduction of \[x\]",
        {"dynamic": "strict", "properties": {"id": {"type": "keyword"}}},
    ),
    "an attribute of no type": Case({"x": {"Q": "1"}}, reason="'Q' is not an attribute type", typed=False),
    "an attribute of two types": Case({"x": {"S": "1", "N": "1"}}, reason="'x'.*one type", typed=False),
    "an attribute that is not a map": Case({"x": "plain"}, reason="'x'.*one type", typed=False),
}  # fmt: skip


class Hostile:
    """A runtime, by default of a table with the text key ``id``, to which hostile records are applied."""

    def __init__(self, runtime: Runtime, letters: Path) -> None:
        self.runtime = runtime
        self._letters = letters

    def apply(self, *records: Record) -> None:
        """Apply a batch. No record may fail."""
        runtime = self.runtime
        result = apply_records(runtime.indexer, records, runtime.clock.monotonic() + HANG_SECONDS)
        assert result.failed == {}

    def document(self, identity: str) -> Any:
        [index] = self.runtime.alias.current()
        [stored] = self.runtime.index.get_many(index, [identity])
        return stored.source if stored else None

    def dead_lettered(self) -> Iterator[list[StoredLetter]]:
        return DeadLetterFile(self._letters).batches()

    def letters(self) -> dict[str, str]:
        """Return the reason by document id, or by sequence number for a letter without a key."""
        dead_lettered = [stored.letter for batch in self.dead_lettered() for stored in batch]
        return {letter.id or str(letter.sequence_number): letter.reason for letter in dead_lettered}

    def assert_same(self, identity: str, document: Mapping[str, Any] | None) -> None:
        actual = self.document(identity)
        assert same(None if document is None else encode(document), actual), str(actual)[:500]


@dataclass(frozen=True)
class Backends:
    dynamodb_url: str
    opensearch_url: str
    directory: Path

    @property
    def settings(self) -> RuntimeSettings:
        return RuntimeSettings(dynamodb_url=self.dynamodb_url, opensearch_url=self.opensearch_url)

    def create_table(self, name: str, *keys: str) -> None:
        """Create a table. Each key is ``name:type``."""
        parts = [key.split(":") for key in keys]
        clients.dynamodb(self.settings).create_table(
            TableName=name,
            KeySchema=[
                {"AttributeName": attribute, "KeyType": kind}  # type: ignore[typeddict-item]
                for (attribute, _), kind in zip(parts, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[
                {"AttributeName": attribute, "AttributeType": kind}  # type: ignore[typeddict-item]
                for attribute, kind in parts
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )


@pytest.fixture(scope="module")
def backends(dynamodb_url: str, opensearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Backends:
    backends = Backends(dynamodb_url, opensearch_url, tmp_path_factory.mktemp("hostile"))
    backends.create_table("hostile", "id:S")
    return backends


# Takes mappings, a document function, a table, and settings that replace the default ones.
Declare = Callable[..., Hostile]


@pytest.fixture
def declare(backends: Backends) -> Iterator[Declare]:
    made: list[Runtime] = []

    def declare(
        mappings: Mapping[str, Any] = DYNAMIC,
        document: DocumentFunction | None = None,
        table: str = "hostile",
        **changes: Any,
    ) -> Hostile:
        name = f"hostile-{uuid4().hex[:12]}"
        letters = backends.directory / f"{name}.jsonl"
        sync = Sync(table=table, index=name, mappings=mappings, document=document)
        runtime = connect(sync, replace(backends.settings, dead_letters=f"file:{letters}", **changes))
        runtime.ensure_index()
        made.append(runtime)
        return Hostile(runtime, letters)

    yield declare
    # A separate client, because the proxies of some runtimes are closed already.
    cluster = OpenSearchIndex(clients.opensearch(backends.settings))
    for runtime in made:
        for index in runtime.alias.current():
            cluster.delete(index)


def record(identity: str, attributes: Mapping[str, Any] | None, seconds: float = 0.0, **changes: Any) -> Record:
    """A stream record with a time relative to now; without attributes, of a delete. ``changes`` replace its parts."""
    body: dict[str, Any] = {
        "Keys": {"id": {"S": identity}},
        "SequenceNumber": str(next(NUMBERS)),
        "ApproximateCreationDateTime": int(NOW + seconds),
    }
    if attributes is not None:
        body["NewImage"] = {"id": {"S": identity}, **attributes}
    event_name = changes.pop("eventName", "REMOVE" if attributes is None else "MODIFY")
    without = changes.pop("without", ())
    body = {name: value for name, value in (body | changes).items() if name not in without}
    return {"eventName": event_name, "dynamodb": body}


GOOD = {"good": {"BOOL": True}}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_hostile_item_has_its_document_or_its_reason(declare: Declare, case: Case) -> None:
    hostile = declare(case.mappings)
    good = {} if case.mappings.get("dynamic") == "strict" else GOOD
    batch = {"first": good, "it": case.item, "last": good}
    hostile.apply(record("before", case.before, seconds=-60), record("it", {}, seconds=-60))
    hostile.assert_same("it", {"id": "it"})
    hostile.apply(*(record(identity, attributes) for identity, attributes in batch.items()))
    expect(hostile, case)
    if not case.typed:
        return
    # The item of the table equals that of the event. The redelivered change is tied with it, so the item is read.
    for identity, attributes in batch.items():
        hostile.runtime.table.put({"id": {"S": identity}, **attributes})
    hostile.apply(*(record(identity, attributes) for identity, attributes in batch.items()))
    expect(hostile, case)
    reply = settle(hostile.runtime, {"it": key("it")})["it"]
    assert reply.outcome is (Outcome.REJECTED if case.reason else Outcome.APPLIED)
    assert re.search(case.reason, reply.reason)
    expect(hostile, case)
    for identity in batch:
        hostile.runtime.table.delete(key(identity))


def expect(hostile: Hostile, case: Case) -> None:
    assert hostile.document("first")
    assert hostile.document("last")
    hostile.assert_same("it", None if case.fields is None else {"id": "it", **case.fields})
    reasons = hostile.letters()
    assert reasons.keys() == ({"it"} if case.reason else set())
    assert re.search(case.reason, reasons.get("it", ""))
    assert "\n" not in reasons.get("it", "")


def key(identity: str) -> dict[str, Any]:
    return {"id": {"S": identity}}


def raising(_: dict[str, Any]) -> Any:
    raise ZeroDivisionError("no beat at all")


def in_itself(_: dict[str, Any]) -> Any:
    knot: dict[str, Any] = {}
    knot["knot"] = knot
    return knot


# Return values of document functions, and the reason why they are not documents; None if they are.
FUNCTIONS: dict[str, tuple[Callable[[dict[str, Any]], Any], str | None]] = {
    "it raises": (raising, "^ZeroDivisionError: no beat at all$"),
    "it raises at length": (lambda item: item["x" * 10_000], "^KeyError: 'x{1900,}"),
    "a list": (lambda item: [item], "^the document function returned list, not a dict$"),
    "a text": (lambda _: "document", "^the document function returned str, not a dict$"),
    "a set within": (lambda _: {"x": {1, 2}}, r"no JSON form: set \{1, 2\}"),
    "an object within": (lambda _: {"x": [raising]}, "no JSON form: function"),
    "NaN": (lambda _: {"x": [None, float("nan")]}, "no JSON form: float nan is not finite"),
    "an infinite Decimal": (lambda _: {"x": Decimal("-Infinity")}, "no JSON form: Decimal"),
    "names that are not text": (lambda _: {1: "x"}, "no JSON form: .*must be str"),
    "33 levels": (lambda _: dicts(33), r"exceeded the allowed limit of \[20\]"),
    "300 levels": (lambda _: dicts(300), "no JSON form: .*[Rr]ecursion"),
    "a dict within itself": (in_itself, "no JSON form: .*[Rr]ecursion"),
    "bytes": (lambda _: {"x": b"\x00"}, "no JSON form: bytes"),
    "an integer of 100 digits": (lambda _: {"x": 10**100}, "out of range of long"),
    "a tuple": (lambda _: {"x": (1, 2)}, None),
    "nothing": (lambda _: None, None),
}


@pytest.mark.parametrize(("function", "reason"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_failing_document_function_affects_only_its_item(
    declare: Declare, function: Callable[[dict[str, Any]], Any], reason: str | None
) -> None:
    def document(item: dict[str, Any]) -> Any:
        return function(item) if "harm" in item else item

    hostile = declare(document=document)
    hostile.apply(record("it", {}, seconds=-60))
    assert hostile.document("it")
    hostile.apply(record("first", GOOD), record("it", {"harm": {"BOOL": True}}), record("last", GOOD))
    assert hostile.document("first")
    assert hostile.document("last")
    if reason is None:
        assert hostile.letters() == {}
        hostile.assert_same("it", function({}))
    else:
        assert hostile.document("it") is None
        assert re.search(reason, hostile.letters()["it"])
        assert len(hostile.letters()["it"]) <= 2_000


# Keys by table, and the expected document id of each.
LONG = "é" * 1023 + "xy"
KEYS: dict[str, tuple[tuple[str, ...], list[tuple[dict[str, Any], str]]]] = {
    "text": (
        ("id:S",),
        [
            ({"id": {"S": "a|b%7C"}}, "a|b%7C"),
            ({"id": {"S": "a\0b"}}, "a\0b"),
            ({"id": {"S": "🎻 a/b?c#d\n"}}, "🎻 a/b?c#d\n"),
            ({"id": {"S": "\uffff"}}, "\uffff"),
            ({"id": {"S": "x" * 512}}, "x" * 512),
            ({"id": {"S": LONG}}, "é" * 200 + "#" + sha256(LONG.encode()).hexdigest()),
            ({"id": {"S": LONG[:-1]}}, "é" * 200 + "#" + sha256(LONG[:-1].encode()).hexdigest()),
        ],
    ),
    "number": (
        ("id:N",),
        [
            ({"id": {"N": DIGITS}}, DIGITS),
            ({"id": {"N": "1E+125"}}, "1" + "0" * 125),
            ({"id": {"N": "-1.50"}}, "-1.5"),
            ({"id": {"N": "0"}}, "0"),
        ],
    ),
    "binary": (
        ("id:B",),
        [
            ({"id": {"B": b"\x00\xff\xfe"}}, "AP/+"),
            ({"id": {"B": b"\xff" * 2048}}, b64(b"\xff" * 2048)[:400] + "#" + digest(b64(b"\xff" * 2048))),
        ],
    ),
    "pair": (
        ("id:S", "n:S"),
        [
            ({"id": {"S": "a|b"}, "n": {"S": "c"}}, "a%7Cb|c"),
            ({"id": {"S": "a"}, "n": {"S": "b|c"}}, "a|b%7Cc"),
            ({"id": {"S": "100%"}, "n": {"S": "%7C"}}, "100%25|%257C"),
        ],
    ),
    "binary and number": (("id:B", "n:N"), [({"id": {"B": b"\xff\xff"}, "n": {"N": "-1.5"}}, "//8=|-1.5")]),
}


@pytest.mark.parametrize(("schema", "keys"), KEYS.values(), ids=KEYS)
def test_document_is_addressed_by_any_key(
    declare: Declare, backends: Backends, schema: tuple[str, ...], keys: Sequence[tuple[dict[str, Any], str]]
) -> None:
    """With records of the table's stream, and as Lambda encodes them: rejected, then fixed, then deleted."""
    table = f"keys-{uuid4().hex[:8]}"
    backends.create_table(table, *schema)
    hostile = declare(STATIC | mapped("integer"), table=table)
    stream = StreamOf(hostile.runtime)
    ids = [identity for _, identity in keys]
    assert [document_id(hostile.runtime.description.schema, name) for name, _ in keys] == ids
    for read in (stream.records, stream.lambda_records):
        for value, is_indexed in (({"S": "rejected"}, False), ({"N": "1"}, True)):
            for name, _ in keys:
                hostile.runtime.table.put({**name, "x": value})
            hostile.apply(*read())
            assert [bool(hostile.document(identity)) for identity in ids] == [is_indexed] * len(ids)
            assert hostile.letters().keys() == set(ids)
        for name, _ in keys:
            hostile.runtime.table.delete(as_stored(name))
        hostile.apply(*read())
        assert not any(map(hostile.document, ids))
    letters = [stored.letter for batch in hostile.dead_lettered() for stored in batch]
    assert {document_id(hostile.runtime.description.schema, letter.key or {}) for letter in letters} == set(ids)


def as_stored(name: dict[str, Any]) -> dict[str, Any]:
    """Return a key with canonical numbers: ministack, unlike DynamoDB, finds a number only in its stored form."""
    return {part: {"N": canonical_number(value["N"])} if "N" in value else value for part, value in name.items()}


class StreamOf:
    """The stream of a runtime's table, read from the previous position."""

    def __init__(self, runtime: Runtime) -> None:
        streams = clients.dynamodb_streams(runtime.settings)
        arn = runtime.description.usable_stream()
        [shard] = list_shards(streams, arn)
        self._reader = ShardReader(streams, arn, shard.shard_id, None)

    def records(self) -> Sequence[Record]:
        return self._reader.read(1000).records

    def lambda_records(self) -> Sequence[Record]:
        """Return the next records in the JSON encoding of Lambda's events."""
        records: Sequence[Record] = json.loads(json.dumps(list(self.records()), default=_as_lambda))
        return records


def _as_lambda(value: Any) -> Any:
    return b64(value) if isinstance(value, bytes) else value.timestamp()


def test_key_with_a_lone_surrogate_is_dead_lettered(declare: Declare) -> None:
    hostile = declare()
    half = record("\ud800", {})
    hostile.apply(record("first", GOOD), half, record("last", GOOD))
    assert hostile.document("first")
    assert hostile.document("last")
    assert hostile.letters() == {half["dynamodb"]["SequenceNumber"]: "the key is not valid Unicode"}


def test_key_of_another_type_than_in_the_table_is_dead_lettered(declare: Declare) -> None:
    hostile = declare()
    other = record("it", {}, Keys={"id": {"N": "1"}})
    nameless = record("it", {}, Keys={"name": {"S": "it"}})
    hostile.apply(record("first", GOOD), other, nameless, record("last", GOOD))
    assert hostile.document("first")
    assert hostile.document("last")
    assert list(hostile.letters().values()) == [
        "key attribute 'id' is not of the table's key type S",
        "key attribute 'id' is missing",
    ]


def test_incomplete_records_are_settled_from_the_table_or_dead_lettered(declare: Declare) -> None:
    hostile = declare()
    hostile.runtime.table.put({**key("there"), "x": {"N": "1"}})
    names = ["no-image", "unknown", "no-name", "no-time"]
    for name in names:
        hostile.runtime.table.put({**key(name), "x": {"N": "2"}})
    no_keys = record("it", GOOD, without=["Keys"])
    empty_keys = record("it", GOOD, Keys={})
    hostile.apply(record("deleted", GOOD, seconds=-60), record("expired", GOOD, seconds=-60))
    hostile.apply(
        record("first", GOOD),
        record("no-image", None, eventName="MODIFY"),
        record("unknown", GOOD, eventName="TRUNCATE"),
        record("no-name", GOOD, eventName=None),
        record("no-time", GOOD, without=["ApproximateCreationDateTime"]),
        # The item does not exist.
        record("deleted", GOOD, eventName="UPSERT"),
        # Deleted by time to live.
        {**record("expired", None), "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}},
        no_keys,
        empty_keys,
        record("last", GOOD),
    )
    for name in names:
        hostile.assert_same(name, {"id": name, "x": 2})
    for name in ("deleted", "expired"):
        assert hostile.document(name) is None
    assert hostile.document("first")
    assert hostile.document("last")
    numbers = [keyless["dynamodb"]["SequenceNumber"] for keyless in (no_keys, empty_keys)]
    assert hostile.letters() == dict.fromkeys(numbers, "the stream record has no Keys")
    for name in ("there", *names):
        hostile.runtime.table.delete(key(name))


def test_last_of_unordered_and_duplicate_records_in_one_batch_is_applied(declare: Declare) -> None:
    hostile = declare()
    versions = [record("it", {"x": {"N": str(number)}}, seconds=number // 10) for number in range(30)]
    deletes = [record("deleted", GOOD), record("deleted", None)]
    shuffled = [*versions[15:], *versions[:15], *versions[10:20], *reversed(deletes), *deletes[:1]]
    hostile.apply(*shuffled)
    hostile.assert_same("it", {"id": "it", "x": 29})
    assert hostile.document("deleted") is None
    assert hostile.letters() == {}


def test_batch_of_10_000_records_is_split_by_bytes_and_settled_completely(declare: Declare, backends: Backends) -> None:
    max_bytes, each = 512 * 1024, 1_000
    with proxy_to(backends.opensearch_url) as proxy:
        hostile = declare(STATIC | mapped("integer"), opensearch_url=proxy.url, max_bulk_bytes=max_bytes)
        batch = [
            record(f"item-{number}", {"t": {"S": "x" * each}, "x": {"S": "bad"} if number % 1000 == 7 else {"N": "1"}})
            for number in range(10_000)
        ]
        began = time.monotonic()
        hostile.apply(*batch)
        print(f"10,000 records in {time.monotonic() - began:.1f} s, {proxy.happened.requests} requests")
        [index] = hostile.runtime.alias.current()
        hostile.runtime.index.refresh(index)
        assert hostile.runtime.index.count(index) == 9_990
        assert hostile.letters().keys() == {f"item-{number}" for number in range(7, 10_000, 1000)}
        assert max_bytes / 2 < proxy.happened.max_body <= max_bytes
        assert proxy.happened.requests >= 10_000 * each // max_bytes


def test_document_larger_than_the_bulk_limit_is_sent_alone(declare: Declare, backends: Backends) -> None:
    with proxy_to(backends.opensearch_url) as proxy:
        hostile = declare(opensearch_url=proxy.url, max_bulk_bytes=50_000)
        large = {"x": {"S": LONG_TEXT}}
        hostile.apply(record("first", GOOD), record("it", large), record("last", GOOD))
        assert all(map(hostile.document, ("first", "it", "last")))
        assert len(LONG_TEXT) < proxy.happened.max_body < len(LONG_TEXT) + 500


def test_document_larger_than_the_cluster_accepts_is_dead_lettered_alone(declare: Declare, backends: Backends) -> None:
    with proxy_to(backends.opensearch_url) as proxy:
        hostile = declare(opensearch_url=proxy.url)
        hostile.apply(record("it", {}, seconds=-60))
        proxy.plan = Plan(max_bytes=100_000)
        large = [record(f"large-{number}", {"x": {"S": "x" * 60_000}}) for number in range(3)]
        hostile.apply(record("first", GOOD), record("it", {"x": {"S": LONG_TEXT}}), *large, record("last", GOOD))
        assert proxy.happened.faults[Fault.TOO_LARGE] > 1
        assert all(map(hostile.document, ("first", "large-0", "large-1", "large-2", "last")))
        assert hostile.document("it") is None
        [(identity, reason)] = hostile.letters().items()
        assert identity == "it"
        assert reason.startswith("the document is too large for the cluster: content_too_long_exception")


def test_event_that_is_not_a_stream_event_is_rejected_with_the_reason(declare: Declare) -> None:
    hostile = declare()
    with pytest.raises(ValueError, match="SequenceNumber: is this a DynamoDB Streams event"):
        hostile.apply(record("it", GOOD, without=["SequenceNumber"]))
    with pytest.raises(ValueError, match="no list Records"):
        records_of({"detail": {}})


def test_stream_handler_reports_no_failure_for_dead_lettered_records(
    declare: Declare, monkeypatch: pytest.MonkeyPatch, backends: Backends
) -> None:
    hostile = declare()
    monkeypatch.setenv("DYNADEX_DYNAMODB_URL", backends.dynamodb_url)
    monkeypatch.setenv("OPENSEARCH_URL", backends.opensearch_url)
    monkeypatch.setenv("DYNADEX_DEAD_LETTERS", hostile.runtime.settings.dead_letters)
    records = [record("first", GOOD), record("it", {"x": {"N": "1E+125"}}), record("it", {}, without=["Keys"])]
    assert stream_handler(hostile.runtime.sync)({"Records": records}, None) == {"batchItemFailures": []}
    assert hostile.document("first")
    assert len(hostile.letters()) == 2
