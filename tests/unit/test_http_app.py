"""The HTTP service over a table in memory and a scripted index."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Route

from dynadex import Search, Sync
from dynadex.document.identity import KeySchema
from dynadex.errors import SearchError, SearchUnavailable
from dynadex.http.app import HttpOptions, create_app
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
    return Client(create_app(sync, index, table, schema, HttpOptions(auth=AUTH)), WRITER)


def test_search_uses_the_read_alias(client: Client, index: ScriptedIndex) -> None:
    assert client.get("/api/search?q=rakes&form=Jig&form=Reel&size=3").json()["total"] == 0
    [(alias, body)] = index.searches
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
def test_invalid_search_parameter_is_a_client_error(client: Client, parameters: str, code: str) -> None:
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
def test_error_text_of_the_cluster_is_not_returned(
    client: Client, index: ScriptedIndex, error: Exception, parameters: str, expected: tuple[int, str]
) -> None:
    index.reply = error
    assert error_of(client.get(f"/api/search?{parameters}")) == expected


def test_config_describes_what_the_page_shows(client: Client) -> None:
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
def test_every_response_has_security_headers(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'self'; ")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "access-control-allow-origin" not in headers


def test_page_loads_nothing_from_other_origins(client: Client) -> None:
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
def test_unknown_path_or_method_returns_a_json_error(
    client: Client, method: str, path: str, expected: tuple[int, str]
) -> None:
    assert error_of(client.request(method, path)) == expected


def test_search_without_hits_returns_a_correction(client: Client, index: ScriptedIndex) -> None:
    index.replies = [NOTHING_FOUND, {"hits": {"hits": [hit("1", {"title": "The Rakes of Mallow"})]}}]
    assert client.get("/api/search?q=rakkkes").json()["did_you_mean"] == "The Rakes of Mallow"
    index.searches.clear()
    for parameters in ("q=", "q=%20", "", "q=rakes&form=Jig"):
        assert client.get(f"/api/search?{parameters}").json()["did_you_mean"] is None
    assert len(index.searches) == 4


def test_suggestions_are_distinct_and_highlighted(client: Client, index: ScriptedIndex) -> None:
    hits = [
        hit(identity, {"title": title}) for identity, title in (("1", "Rakes"), ("2", "Rakes"), ("3", "Rake & <b>"))
    ]
    index.reply = {"hits": {"hits": hits}}
    suggestions = client.get("/api/suggest?q=rak").json()["suggestions"]
    assert [suggestion["text"] for suggestion in suggestions] == ["Rakes", "Rake & <b>"]
    assert "<b>" not in suggestions[1]["highlight"]
    index.searches.clear()
    assert client.get("/api/suggest").json() == client.get("/api/suggest?q=%20").json() == {"suggestions": []}
    assert index.searches == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [("size=1", "unknown_parameter"), ("q=a&q=b", "repeated_parameter"), ("q=" + "x" * 513, "query_too_long")],
)
def test_suggest_takes_no_other_parameter_than_q(client: Client, parameters: str, code: str) -> None:
    assert error_of(client.get(f"/api/suggest?{parameters}")) == (400, code)


def test_sync_without_a_suggest_field_has_no_suggestions(index: ScriptedIndex) -> None:
    bare = Sync(table="lessons", index="lessons", search=Search(fields={"title": 1}))
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    client = Client(create_app(bare, index, table, KeySchema(("id",), ("S",))))
    assert client.get("/api/suggest?q=rak").json() == {"suggestions": []}
    assert not client.get("/api/config").json()["suggest"]


def test_extra_routes_precede_the_page_and_appear_in_the_config(index: ScriptedIndex) -> None:
    extra = [
        Route("/api/live", lambda _: reply({"now": 1})),
        Route("/api/operations/{name}", protected(AUTH, lambda _: reply({}, 202)), methods=["POST"]),
    ]
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    options = HttpOptions(auth=AUTH, extra_routes=extra)
    client = Client(create_app(sync, index, table, KeySchema(("id",), ("S",)), options))
    assert client.get("/api/live").json() == {"now": 1}
    assert client.get("/api/config").json()["live"]
    assert error_of(client.request("POST", "/api/operations/verify")) == (401, "unauthenticated")
    assert client.request("POST", "/api/operations/verify", headers=WRITER).status_code == 202


@pytest.mark.parametrize("path", ["/", "/api/config", "/api/nothing", "/api/search?q=a"])
def test_every_response_has_the_region_header(index: ScriptedIndex, path: str) -> None:
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    client = Client(create_app(sync, index, table, KeySchema(("id",), ("S",)), HttpOptions(region="europe")))
    index.reply = RuntimeError(SECRET)
    assert client.get(path).headers["x-dynadex-region"] == "europe"


def test_response_to_a_defect_has_security_headers(client: Client, index: ScriptedIndex) -> None:
    index.reply = RuntimeError(SECRET)
    answer = client.get("/api/search?q=a")
    assert error_of(answer) == (500, "internal")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
