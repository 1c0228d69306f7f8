"""Single documents over HTTP: reads, writes, and rejected writes."""

from __future__ import annotations

from typing import Any

import pytest

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema, document_id
from dynadex.errors import DynadexError, SourceError, SourceUnavailable
from dynadex.http.app import MAX_BYTES, HttpOptions, create_app
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.unit.service import AUTH, SECRET, WRITER, BrokenTable, Client, ScriptedIndex, error_of, path_of

MAPPINGS = {
    "dynamic": False,
    "properties": {
        "title": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
        "level": {"type": "integer"},
        "open": {"type": "boolean"},
    },
}
SYNC = Sync(table="lessons", index="lessons", mappings=MAPPINGS, search=Search(fields={"title": 1}))


def client_of(memory: InMemoryTable, sync: Sync = SYNC) -> Client:
    table: Any = Table(memory, memory.name)  # type: ignore[arg-type]
    return Client(create_app(sync, ScriptedIndex(), table, memory.schema, HttpOptions(auth=AUTH)), WRITER)


@pytest.fixture
def memory() -> InMemoryTable:
    return InMemoryTable("lessons")


@pytest.fixture
def client(memory: InMemoryTable) -> Client:
    return client_of(memory)


def test_written_item_is_stored_and_read_back_exactly(client: Client, memory: InMemoryTable) -> None:
    sent = (
        '{"title":"Rakes","pi":3.14159265358979323846264338327950288,"big":12345678901234567890123,"tags":["a",null]}'
    )
    put = client.put(path_of("x"), content=sent)
    assert put.status_code == 200
    assert memory.items()["x"]["pi"] == {"N": "3.14159265358979323846264338327950288"}
    for text in (put.text, client.get(path_of("x")).text):
        assert '"pi":3.14159265358979323846264338327950288,"big":12345678901234567890123' in text
        assert '"id":"x"' in text


@pytest.mark.parametrize(
    "identity",
    ["a/b", "/a//b/", "100%", "%2F", "a|b", "🎻 Émile", "a?b#c", "a&b=c+d", " ", "...", "\n", "a\nb\n", "\x00\u2028"],
)
def test_item_with_any_id_can_be_written_read_and_deleted(client: Client, memory: InMemoryTable, identity: str) -> None:
    assert client.put(path_of(identity), content=b'{"title":"t"}').json()["item"] == {"id": identity, "title": "t"}
    assert list(memory.items()) == [identity]
    assert client.get(path_of(identity)).json()["id"] == identity
    assert client.delete(path_of(identity)).status_code == 200
    assert error_of(client.get(path_of(identity))) == (404, "not_found")
    assert error_of(client.delete(path_of(identity))) == (404, "not_found")


def test_composite_key_is_taken_from_the_id() -> None:
    schema = KeySchema(("book", "number"), ("S", "N"))
    memory = InMemoryTable("lessons", schema)
    client = client_of(memory)
    key = {"book": {"S": "a|b%"}, "number": {"N": "7"}}
    path = path_of(document_id(schema, key))
    put = client.put(path, content=b'{"number":7.0,"title":"t"}')
    assert put.json()["item"] == {"book": "a|b%", "number": 7, "title": "t"}
    assert client.get(path).json()["title"] == "t"
    assert error_of(client.put(path, content=b'{"number":8}')) == (400, "key_mismatch")
    assert error_of(client.get(path_of("only-one-part"))) == (400, "bad_id")
    assert error_of(client.get(path_of("a|no-number"))) == (400, "bad_id")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe{", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"[1]", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"id":"other"}', "key_mismatch"),
        (b'{"id":null}', "key_mismatch"),
        (b'{"level":NaN}', "bad_value"),
        (b'{"level":1e999999999}', "bad_value"),
        (b'{"any":[{"deep":-1e-999999999999999999}]}', "bad_value"),
        (b'{"level":-Infinity}', "bad_value"),
        (b'{"title":"\\ud800"}', "bad_value"),
        (b'{"deep":' + b"[" * 500 + b"]" * 500 + b"}", "bad_value"),
        (b'{"long":' + b"9" * 5000 + b"}", "not_json"),
    ],
)
def test_body_that_is_not_a_valid_item_is_rejected(
    client: Client, memory: InMemoryTable, sent: bytes, code: str
) -> None:
    assert error_of(client.put(path_of("x"), content=sent)) == (400, code)
    assert memory.items() == {}


def test_body_larger_than_the_maximum_item_size_is_rejected(client: Client, memory: InMemoryTable) -> None:
    text = "x" * (MAX_BYTES - len('{"title":""}'))
    assert client.put(path_of("x"), content=f'{{"title":"{text}"}}').status_code == 200
    assert error_of(client.put(path_of("y"), content=f'{{"title":"{text}x"}}')) == (413, "too_large")
    assert list(memory.items()) == ["x"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SourceUnavailable("write", "lessons", SECRET), (503, "table_unavailable")),
        (SourceError("write", "lessons", SECRET), (503, "table_unavailable")),
        (SourceError("write", "lessons", f"ValidationException: {SECRET}"), (400, "rejected")),
    ],
)
def test_error_text_of_the_table_is_not_returned(error: DynadexError, expected: tuple[int, str]) -> None:
    table: Any = BrokenTable(error)
    client = Client(
        create_app(SYNC, ScriptedIndex(), table, KeySchema(("id",), ("S",)), HttpOptions(auth=AUTH)), WRITER
    )
    assert error_of(client.get(path_of("x"))) == expected
    assert error_of(client.put(path_of("x"), content=b"{}")) == expected
    assert error_of(client.delete(path_of("x"))) == expected


def test_shortened_id_is_rejected(client: Client) -> None:
    identity = document_id(KeySchema(("id",), ("S",)), {"id": {"S": "x" * 600}})
    assert error_of(client.get(path_of(identity))) == (400, "bad_id")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ('{"level":"three"}', "level"),
        ('{"level":3.5}', "level"),
        ('{"level":99999999999}', "level"),
        ('{"level":8.1e120}', "level"),
        ('{"level":[[1e-100]]}', "level"),
        ('{"level":true}', "level"),
        ('{"level":[1,"2"]}', "level"),
        ('{"open":"yes"}', "open"),
        ('{"title":{"en":"Rakes"}}', "title"),
    ],
)
def test_value_that_does_not_fit_its_mapping_is_rejected_with_the_field_name(
    client: Client, memory: InMemoryTable, sent: str, field: str
) -> None:
    answer = client.put(path_of("x"), content=sent)
    assert error_of(answer) == (422, "invalid_item")
    [problem] = answer.json()["error"]["fields"]
    assert (problem["name"], field in answer.json()["error"]["message"]) == (field, True)
    assert memory.items() == {}


def test_item_without_a_valid_document_is_rejected_unless_it_is_not_indexed(memory: InMemoryTable) -> None:
    def document(item: dict[str, Any]) -> dict[str, Any] | None:
        if "draft" in item:
            return None
        return {"title": item["name"] + SECRET[:0]}

    client = client_of(memory, Sync(table="lessons", index="lessons", mappings=MAPPINGS, document=document))
    rejected = client.put(path_of("x"), content=b"{}")
    assert error_of(rejected) == (422, "invalid_item")
    assert rejected.json()["error"]["fields"] == []
    assert client.put(path_of("x"), content=b'{"draft":true}').status_code == 200
    assert client.put(path_of("x"), content=b'{"name":"Rakes"}').status_code == 200


SPECIAL: dict[str, Any] = {
    "id": {"S": "x"},
    "tags": {"SS": ["reel", "jig"]},
    "bars": {"NS": ["16", "8.50"]},
    "scan": {"B": b"\x00\xff"},
    "scans": {"BS": [b"\x01", b"\x00"]},
    "price": {"N": "1.50"},
    "deep": {"M": {"tags": {"SS": ["a"]}, "list": {"L": [{"B": b"\x02"}, {"S": "b"}]}}},
}


def test_unchanged_value_keeps_its_type_and_notation(client: Client, memory: InMemoryTable) -> None:
    memory.put(SPECIAL)
    sent = client.get(path_of("x")).json() | {"title": "Rakes"}
    assert client.put(path_of("x"), json=sent).status_code == 200
    assert memory.items()["x"] == SPECIAL | {"title": {"S": "Rakes"}}


def test_changed_set_stays_a_set_if_the_new_value_allows_it(client: Client, memory: InMemoryTable) -> None:
    memory.put(SPECIAL)
    sent = client.get(path_of("x")).json()
    sent |= {"tags": ["hornpipe"], "bars": [1, 2.5], "scan": "AQI=", "scans": ["AQ==", "no base64"]}
    sent["deep"] = {"tags": ["a", "b"], "list": ["Ag==", 7, None]}
    assert client.put(path_of("x"), json=sent).status_code == 200
    stored = memory.items()["x"]
    assert stored["tags"] == {"SS": ["hornpipe"]}
    assert stored["bars"] == {"NS": ["1", "2.5"]}
    assert stored["scan"] == {"B": b"\x01\x02"}
    assert stored["scans"] == {"L": [{"S": "AQ=="}, {"S": "no base64"}]}
    assert stored["deep"]["M"]["tags"] == {"SS": ["a", "b"]}
    assert stored["deep"]["M"]["list"] == {"L": [{"B": b"\x02"}, {"N": "7"}, {"NULL": True}]}


@pytest.mark.parametrize("value", [[], ["a", "a"], ["a", 1], "text", {"a": 1}, None])
def test_value_that_cannot_be_a_set_is_stored_as_sent(client: Client, memory: InMemoryTable, value: Any) -> None:
    memory.put(SPECIAL)
    assert client.put(path_of("x"), json={"tags": value}).status_code == 200
    assert client.get(path_of("x")).json()["tags"] == value
    assert "SS" not in memory.items()["x"]["tags"]


@pytest.mark.parametrize(
    "identity", ["1e999999999", "1E+2", "-1e-999999999", "+1", " 1", "1_000", "Infinity", "NaN", "٣"]
)
def test_numeric_id_has_one_canonical_notation(identity: str) -> None:
    client = client_of(InMemoryTable("lessons", KeySchema(("n",), ("N",))))
    for answer in (client.get(path_of(identity)), client.put(path_of(identity), content=b"{}")):
        assert error_of(answer) == (400, "bad_id")
    assert client.put(path_of("-1.5"), content=b"{}").status_code == 200


def test_attribute_that_is_not_sent_is_removed(client: Client, memory: InMemoryTable) -> None:
    memory.put(SPECIAL)
    assert client.put(path_of("x"), content=b"{}").json()["item"] == {"id": "x"}
    assert memory.items()["x"] == {"id": {"S": "x"}}


def test_last_write_wins_without_a_declared_version(client: Client, memory: InMemoryTable) -> None:
    assert client.put(path_of("x"), content=b'{"title":"1"}').json()["version"] is None
    put = client.put(path_of("x"), content=b'{"title":"2"}')
    assert (put.status_code, "etag" in put.headers) == (200, False)
    read = client.get(path_of("x"))
    assert ("etag" in read.headers, read.headers["cache-control"]) == (False, "no-store")
    taken = client.put(path_of("x"), content=b"{}", headers={"If-None-Match": "*"})
    assert error_of(taken) == (412, "version_conflict")
    for method in ("PUT", "DELETE"):
        rejected = client.request(method, path_of("x"), content=b"{}", headers={"If-Match": '"1"'})
        assert error_of(rejected) == (400, "bad_condition")
    assert memory.items()["x"]["title"] == {"S": "2"}
