"""The HTTP service on a table in memory and an index that says what it is told to."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Route

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.http.app import create_app
from dynadex.http.auth import protected
from dynadex.http.response import reply
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.unit.service import AUTH, NOTHING_FOUND, SECRET, WRITER, Client, ScriptedIndex, error_of, hit

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
    search=Search(title="Lessons", fields={"title": 1}, facets=("form",), suggest="title", sorts={"hardest": "-level"}),
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
    return Client(create_app(sync, index, table, schema, auth=AUTH), WRITER)


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
    assert error_of(client.get(f"/api/search?{parameters}")) == (400, code)


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
    assert error_of(client.get(f"/api/search?{parameters}")) == expected


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
        "sorts": [{"name": "relevance", "label": "Relevance"}, {"name": "hardest", "label": "Hardest"}],
        "version": None,
        "suggest": True,
        "writes": True,
        "live": False,
        "regions": False,
    }


@pytest.mark.parametrize(
    "path", ["/", "/app.js", "/base.css", "/icon.svg", "/api/config", "/api/nothing", "/api/search?x=1"]
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
    ("method", "path", "expected"),
    [
        ("GET", "/api/nothing", (404, "not_found")),
        ("GET", "/../api.py", (404, "not_found")),
        ("POST", "/api/search", (405, "method_not_allowed")),
        ("POST", "/api/documents/x", (405, "method_not_allowed")),
        ("PUT", "/", (405, "method_not_allowed")),
        ("TRACE", "/api/config", (405, "method_not_allowed")),
    ],
)
def test_other_paths_and_methods_answer_in_json_too(
    client: Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert error_of(client.request(method, path)) == expected


def test_a_search_that_finds_nothing_asks_what_was_meant(client: Client, index: ScriptedIndex) -> None:
    index.replies = [NOTHING_FOUND, {"hits": {"hits": [hit("1", {"title": "The Rakes of Mallow"})]}}]
    assert client.get("/api/search?q=rakkkes").json()["did_you_mean"] == "The Rakes of Mallow"
    index.asked.clear()
    for parameters in ("q=", "q=%20", "", "q=rakes&form=Jig"):
        assert client.get(f"/api/search?{parameters}").json()["did_you_mean"] is None
    assert len(index.asked) == 4


def test_suggestions_are_distinct_and_marked(client: Client, index: ScriptedIndex) -> None:
    found = [hit(one, {"title": title}) for one, title in (("1", "Rakes"), ("2", "Rakes"), ("3", "Rake & <b>"))]
    index.reply = {"hits": {"hits": found}}
    told = client.get("/api/suggest?q=rak").json()
    assert [one["text"] for one in told["suggestions"]] == ["Rakes", "Rake & <b>"]
    assert "<b>" not in told["suggestions"][1]["highlight"]
    index.asked.clear()
    assert client.get("/api/suggest").json() == client.get("/api/suggest?q=%20").json() == {"suggestions": []}
    assert index.asked == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [("size=1", "unknown_parameter"), ("q=a&q=b", "repeated_parameter"), ("q=" + "x" * 513, "query_too_long")],
)
def test_suggestions_take_a_query_alone(client: Client, parameters: str, code: str) -> None:
    assert error_of(client.get(f"/api/suggest?{parameters}")) == (400, code)


def test_a_sync_without_suggestions_has_none(index: ScriptedIndex) -> None:
    bare = Sync(table="lessons", index="lessons", search=Search(fields={"title": 1}))
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    client = Client(create_app(bare, index, table, KeySchema(("id",), ("S",))))
    assert client.get("/api/suggest?q=rak").json() == {"suggestions": []}
    assert not client.get("/api/config").json()["suggest"]


def test_extra_routes_come_before_the_page_and_are_told(index: ScriptedIndex) -> None:
    extra = [
        Route("/api/live", lambda _: reply({"now": 1})),
        Route("/api/operations/{name}", protected(AUTH, lambda _: reply({}, 202)), methods=["POST"]),
    ]
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    client = Client(create_app(sync, index, table, KeySchema(("id",), ("S",)), auth=AUTH, extra_routes=extra))
    assert client.get("/api/live").json() == {"now": 1}
    assert client.get("/api/config").json()["live"]
    assert error_of(client.request("POST", "/api/operations/verify")) == (401, "unauthenticated")
    assert client.request("POST", "/api/operations/verify", headers=WRITER).status_code == 202


@pytest.mark.parametrize("path", ["/", "/api/config", "/api/nothing", "/api/search?q=a"])
def test_a_region_is_told_with_every_answer(index: ScriptedIndex, path: str) -> None:
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    client = Client(create_app(sync, index, table, KeySchema(("id",), ("S",)), region="europe"))
    index.reply = RuntimeError(SECRET)
    assert client.get(path).headers["x-dynadex-region"] == "europe"


def test_a_defect_too_is_answered_with_all_headers(client: Client, index: ScriptedIndex) -> None:
    index.reply = RuntimeError(SECRET)
    answer = client.get("/api/search?q=a")
    assert error_of(answer) == (500, "internal")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
