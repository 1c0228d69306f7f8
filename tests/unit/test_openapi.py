"""The OpenAPI document matches the service: every route, parameter, and limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from dynadex import Search, Sync
from dynadex.demo.lessons import sync as lessons
from dynadex.document.identity import KeySchema
from dynadex.http.app import HttpOptions, create_app
from dynadex.http.openapi import OPERATIONS, describe
from dynadex.http.response import reply
from dynadex.source.table import Table
from dynadex.testing import InMemoryTable
from tests.unit.service import AUTH, Client, ScriptedIndex

ROOT = Path(__file__).parents[2]
SCHEMA = KeySchema(("id",), ("S",))
# Without facets, sorts, suggestions, versions, and mappings: the smallest possible declaration.
BARE = Sync(table="bare", index="bare", search=Search(fields={"name": 1}))
LIVE = [
    Route("/api/live", lambda _: reply({})),
    Route("/api/operations/{name}", lambda _: reply({}), methods=["POST"]),
]


def app_of(sync: Sync, live: bool) -> Any:
    table: Any = Table(InMemoryTable(), "table")  # type: ignore[arg-type]
    options = HttpOptions(auth=AUTH, extra_routes=LIVE if live else ())
    return create_app(sync, ScriptedIndex(), table, SCHEMA, options)


def served(app: Any) -> Iterator[tuple[str, str]]:
    assert isinstance(app.app, Starlette)
    for route in app.app.routes:
        if isinstance(route, Route):
            for method in (route.methods or set()) - {"HEAD"}:
                yield method, re.sub(r":\w+}", "}", route.path)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("sync", [lessons, BARE])
def test_routes_and_described_paths_are_the_same(sync: Sync, live: bool) -> None:
    described = describe(sync, SCHEMA, live=live)["paths"]
    operations = {
        (method.upper(), path) for path, methods in described.items() for method in methods if method != "parameters"
    }
    assert operations == set(served(app_of(sync, live)))
    assert ("POST", "/api/operations/{name}") in operations or not live


def test_document_is_served_with_an_etag() -> None:
    client = Client(app_of(lessons, live=False))
    answer = client.get("/api/openapi.json")
    assert answer.json() == describe(lessons, SCHEMA)
    again = client.get("/api/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("sync", [lessons, BARE])
def test_every_search_parameter_is_described(sync: Sync) -> None:
    parameters = describe(sync, SCHEMA)["paths"]["/api/search"]["get"]["parameters"]
    names = [parameter["name"] for parameter in parameters]
    assert names == ["q", "size", "sort", "cursor", "after", *sync.search.facets]
    client = Client(app_of(sync, live=False))
    for name in names:
        assert client.get("/api/search", params={name: ""}).json().get("error", {}).get("code") != "unknown_parameter"


def test_described_limits_are_enforced() -> None:
    client = Client(app_of(lessons, live=False))
    for parameter in describe(lessons, SCHEMA)["paths"]["/api/search"]["get"]["parameters"]:
        schema = parameter["schema"].get("items", parameter["schema"])
        for beyond in (schema.get("maximum", -1) + 1, "x" * (schema.get("maxLength", 0) + 1)):
            if schema["type"] == ("integer" if isinstance(beyond, int) else "string"):
                assert client.get("/api/search", params={parameter["name"]: beyond}).status_code == 400, parameter[
                    "name"
                ]


def test_operations_that_need_a_token_are_described_so() -> None:
    for path, methods in describe(lessons, SCHEMA, live=True)["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                assert ("security" in operation) == (method in ("put", "delete", "post")), path


def test_every_schema_is_referenced_and_every_reference_has_a_schema() -> None:
    document = describe(lessons, SCHEMA, live=True)
    names = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert names == set(document["components"]["schemas"])


def test_described_operations_are_those_of_the_live_view() -> None:
    from dynadex.demo import operations

    assert set(OPERATIONS) == set(operations.NAMES)


def test_reference_lists_exactly_the_error_codes_of_the_service() -> None:
    raised = set(re.findall(r'(?:Problem\(\s*\d+,|bad_request\()\s*"(\w+)"', _sources()))
    raised |= {"not_found", "method_not_allowed", "bad_request"}  # the codes of Starlette's own errors
    reference = (ROOT / "docs" / "how-to" / "http.md").read_text(encoding="utf-8")
    table = reference.partition("## Error codes")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", table)) == raised


def _sources() -> str:
    package = ROOT / "src" / "dynadex"
    paths = [*package.glob("search/*.py"), *package.glob("http/*.py"), package / "demo" / "live_routes.py"]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
