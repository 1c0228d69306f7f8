"""The HTTP service on a table in memory and an index that says what it is told to."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema, document_id
from dynadex.errors import DynadexError, SearchError, SearchUnavailable, SourceError, SourceUnavailable
from dynadex.search.api import MOST_BYTES, create_app
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.unit.service import HOST, BrokenTable, Client, ScriptedIndex

SECRET = "node-7.internal: shard failure [lessons-20261124054500]"

sync = Sync(
    table="lessons",
    index="lessons",
    mappings={
        "properties": {
            "title": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
            "form": {"type": "keyword"},
            "level": {"type": "integer"},
            "open": {"type": "boolean"},
            "place": {"type": "geo_point"},
        }
    },
    search=Search(title="Lessons", fields={"title": 1}, facets=("form",)),
)


@pytest.fixture
def index() -> ScriptedIndex:
    return ScriptedIndex()


@pytest.fixture
def memory() -> InMemoryTable:
    return InMemoryTable("lessons")


@pytest.fixture
def client(index: ScriptedIndex, memory: InMemoryTable) -> Client:
    return _client(index, Table(memory, "lessons"), memory.schema)  # type: ignore[arg-type]


def _client(index: Any, table: Any, schema: KeySchema | None = None) -> Client:
    schema = schema or KeySchema(("id",), ("S",))
    return Client(create_app(sync, index, table, schema))


def _path(identity: str) -> str:
    return f"/api/documents/{quote(identity, safe='')}"


def _error(response: Any) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/json"
    assert SECRET not in response.text
    [(key, error)] = response.json().items()
    assert key == "error"
    assert set(error) == {"code", "message"}
    assert error["message"].endswith(".")
    return response.status_code, error["code"]


def test_a_search_goes_to_the_read_alias(client: Client, index: ScriptedIndex) -> None:
    assert client.get("/api/search?q=rakes&form=Jig&form=Reel&size=3").json()["total"] == 0
    [(alias, body)] = index.asked
    assert alias == "lessons"
    assert body["size"] == 3
    assert body["post_filter"] == {"bool": {"filter": [{"terms": {"form": ["Jig", "Reel"]}}]}}
    assert body["sort"][1] == {"title.keyword": {"order": "asc", "unmapped_type": "keyword"}}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("page=2", "unknown_parameter"),
        ("size=101", "size_out_of_range"),
        ("size=-1", "size_out_of_range"),
        ("q=" + "x" * 513, "query_too_long"),
    ],
)
def test_a_search_that_makes_no_sense_is_the_askers_fault(client: Client, parameters: str, code: str) -> None:
    assert _error(client.get(f"/api/search?{parameters}")) == (400, code)


@pytest.mark.parametrize(
    ("error", "parameters", "expected"),
    [
        (SearchUnavailable("search index", "lessons", SECRET), "q=a", (503, "index_unavailable")),
        (SearchError("search index", "lessons", SECRET, status=404), "q=a", (503, "index_unavailable")),
        (SearchError("search index", "lessons", SECRET, status=400), "q=a", (503, "index_unavailable")),
        (SearchError("search index", "lessons", SECRET, status=400), "form=x", (400, "bad_filter")),
        (RuntimeError(SECRET), "q=a", (500, "internal")),
    ],
)
def test_what_the_cluster_says_stays_inside(
    client: Client, index: ScriptedIndex, error: Exception, parameters: str, expected: tuple[int, str]
) -> None:
    index.reply = error
    assert _error(client.get(f"/api/search?{parameters}")) == expected


def test_what_is_put_can_be_read_exactly_and_is_in_the_table(client: Client, memory: InMemoryTable) -> None:
    sent = (
        '{"title":"Rakes","pi":3.14159265358979323846264338327950288,"big":12345678901234567890123,"tags":["a",null]}'
    )
    put = client.put(_path("x"), content=sent)
    assert put.status_code == 200
    assert memory.items()["x"]["pi"] == {"N": "3.14159265358979323846264338327950288"}
    for text in (put.text, client.get(_path("x")).text):
        assert '"pi":3.14159265358979323846264338327950288,"big":12345678901234567890123' in text
        assert json.loads(text)["id"] == "x"


@pytest.mark.parametrize(
    "identity", ["a/b", "/a//b/", "100%", "%2F", "a|b", "🎻 Émile", "a?b#c", "a&b=c+d", " ", "..."]
)
def test_any_id_can_be_written_read_and_deleted(client: Client, memory: InMemoryTable, identity: str) -> None:
    assert client.put(_path(identity), content=b'{"title":"t"}').json() == {"id": identity, "title": "t"}
    assert list(memory.items()) == [identity]
    assert client.get(_path(identity)).json()["id"] == identity
    assert client.delete(_path(identity)).status_code == 204
    assert _error(client.get(_path(identity))) == (404, "not_found")
    assert _error(client.delete(_path(identity))) == (404, "not_found")


def test_the_parts_of_a_composite_key_come_from_the_id(index: ScriptedIndex) -> None:
    schema = KeySchema(("book", "number"), ("S", "N"))
    memory = InMemoryTable("lessons", schema)
    client = _client(index, Table(memory, "lessons"), schema)  # type: ignore[arg-type]
    key = {"book": {"S": "a|b%"}, "number": {"N": "7"}}
    path = _path(document_id(schema, key))
    assert client.put(path, content=b'{"number":7.0,"title":"t"}').json() == {"book": "a|b%", "number": 7, "title": "t"}
    assert client.get(path).json()["title"] == "t"
    assert _error(client.put(path, content=b'{"number":8}')) == (400, "key_mismatch")
    assert _error(client.get(_path("only-one-part"))) == (400, "bad_id")
    assert _error(client.get(_path("a|no-number"))) == (400, "bad_id")


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
        (b'{"level":-Infinity}', "bad_value"),
        (b'{"title":"\\ud800"}', "bad_value"),
        (b'{"deep":' + b"[" * 500 + b"]" * 500 + b"}", "bad_value"),
        (b'{"long":' + b"9" * 5000 + b"}", "not_json"),
    ],
)
def test_a_body_that_is_no_item_is_refused(client: Client, memory: InMemoryTable, sent: bytes, code: str) -> None:
    assert _error(client.put(_path("x"), content=sent)) == (400, code)
    assert memory.items() == {}


def test_a_body_larger_than_an_item_is_refused(client: Client, memory: InMemoryTable) -> None:
    text = "x" * (MOST_BYTES - len('{"title":""}'))
    assert client.put(_path("x"), content=f'{{"title":"{text}"}}').status_code == 200
    assert _error(client.put(_path("y"), content=f'{{"title":"{text}x"}}')) == (413, "too_large")
    assert list(memory.items()) == ["x"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SourceUnavailable("write", "lessons", SECRET), (503, "table_unavailable")),
        (SourceError("write", "lessons", SECRET), (503, "table_unavailable")),
        (SourceError("write", "lessons", f"ValidationException: {SECRET}"), (400, "refused")),
    ],
)
def test_what_the_table_says_stays_inside(index: ScriptedIndex, error: DynadexError, expected: tuple[int, str]) -> None:
    client = _client(index, BrokenTable(error))
    assert _error(client.get(_path("x"))) == expected
    assert _error(client.put(_path("x"), content=b"{}")) == expected
    assert _error(client.delete(_path("x"))) == expected


def test_an_id_that_was_shortened_tells_no_key(client: Client) -> None:
    identity = document_id(KeySchema(("id",), ("S",)), {"id": {"S": "x" * 600}})
    assert _error(client.get(_path(identity))) == (400, "bad_id")


def test_the_page_learns_what_to_show(client: Client) -> None:
    assert client.get("/api/config").json() == {
        "title": "Lessons",
        "headline": "title",
        "searched": ["title"],
        "facets": ["form"],
        "fields": [
            {"name": "title", "kind": "text"},
            {"name": "form", "kind": "text"},
            {"name": "level", "kind": "number"},
            {"name": "open", "kind": "boolean"},
        ],
        "key": ["id"],
        "key_types": ["S"],
    }


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/style.css", "/icon.svg", "/api/config", "/api/nothing", "/api/search?x=1"]
)
def test_everything_is_served_with_headers_that_keep_it_to_itself(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "access-control-allow-origin" not in headers


def test_the_page_asks_nobody_else_for_anything(client: Client) -> None:
    page = client.get("/").text
    assert "://" not in page
    assert "<style" not in page
    assert " style=" not in page
    assert "onclick" not in page
    assert page.count("<script") == page.count('<script type="module" src="app.js"></script>') == 1


@pytest.mark.parametrize(
    "origin", ["http://evil.test", "null", "http://lessons.test.evil.test", "http://lessons.test:81"]
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_other_sites_cannot_write(client: Client, memory: InMemoryTable, method: str, origin: str) -> None:
    memory.put({"id": {"S": "x"}})
    response = client.request(method, _path("x"), content=b'{"title":"t"}', headers={"Origin": origin})
    assert _error(response) == (403, "cross_origin")
    assert memory.items() == {"x": {"id": {"S": "x"}}}


@pytest.mark.parametrize("headers", [{}, {"Origin": HOST}, {"Origin": "HTTP://Lessons.Test"}])
def test_the_page_itself_and_programs_can_write(client: Client, headers: dict[str, str]) -> None:
    assert client.put(_path("x"), content=b"{}", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/nothing", (404, "not_found")),
        ("GET", "/../api.py", (404, "not_found")),
        ("POST", "/api/search", (405, "method_not_allowed")),
        ("POST", "/api/documents/x", (405, "method_not_allowed")),
        ("PUT", "/", (405, "method_not_allowed")),
    ],
)
def test_other_paths_and_methods_answer_in_json_too(
    client: Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert _error(client.request(method, path)) == expected
