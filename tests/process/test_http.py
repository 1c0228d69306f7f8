"""The HTTP service on a real server, with a real table, and with both kinds of index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from dynadex import Sync, clients
from dynadex.clock import SystemClock
from dynadex.demo import lessons as demo
from dynadex.demo.songs import lessons
from dynadex.document.body import encode
from dynadex.document.identity import KeySchema
from dynadex.http.app import HttpOptions, create_app
from dynadex.index.aliases import ensure_index
from dynadex.index.opensearch import OpenSearchIndex
from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from dynadex.source.table import Table
from tests.http.serving import serving
from tests.unit.service import AUTH, WRITER
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.usefixtures("patient_searches")
NEW = {"If-None-Match": "*"}
HARMFUL = "<img src=x onerror=alert(1)> & <b>Rakes</b>"

sync = Sync(
    table="api-lessons",
    index="api-lessons",
    mappings=demo.sync.mappings,
    settings=demo.sync.settings,
    search=demo.sync.search,
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack"), engine=Engine.MEMORY) as running:
        clients.dynamodb(RuntimeSettings(dynamodb_url=running.endpoints.dynamodb)).create_table(
            TableName=sync.table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield running


@pytest.fixture(scope="module", params=["osmem", "opensearch"])
def service(
    request: pytest.FixtureRequest, stack: LocalStack, report_backend: Callable[[str], None]
) -> Iterator[httpx.Client]:
    """The service with an index of all lessons of the demo."""
    report_backend("osmem-server")
    url = stack.endpoints.opensearch if request.param == "osmem" else request.getfixturevalue("opensearch_url")
    settings = RuntimeSettings(opensearch_url=url, dynamodb_url=stack.endpoints.dynamodb)
    index = OpenSearchIndex(clients.opensearch(settings))
    name, _ = ensure_index(index, sync.index, sync.mappings, sync.settings, SystemClock())
    documents = [*lessons(), {"id": "harmful", "title": HARMFUL}]
    lines = [line for song in documents for line in (encode({"index": {"_id": song["id"]}}), encode(song))]
    index.bulk(name, b"\n".join(lines) + b"\n", HANG_SECONDS)
    index.refresh(name)
    table = Table(clients.dynamodb(settings), sync.table)
    try:
        app = create_app(sync, index, table, table.describe().schema, HttpOptions(auth=AUTH))
        with (
            serving(app) as base_url,
            httpx.Client(base_url=base_url, headers=WRITER, timeout=HANG_SECONDS, trust_env=False) as client,
        ):
            yield client
    finally:
        index.delete(name)


def _search(service: httpx.Client, q: str = "", **parameters: Any) -> Any:
    response = service.get("/api/search", params={"q": q, **parameters})
    assert response.status_code == 200, response.text
    return response.json()


def _titles(service: httpx.Client, q: str, **parameters: Any) -> list[str]:
    return [hit["document"]["title"] for hit in _search(service, q, **parameters)["hits"]]


@pytest.mark.parametrize(
    ("q", "first"),
    [
        ("rakes of mallow", "The Rakes of Mallow"),
        ("rakes of malow", "The Rakes of Mallow"),
        ("RAKES MALLOW", "The Rakes of Mallow"),
        ("mallow the rakes", "The Rakes of Mallow"),
        ("rakes of mallow ", "The Rakes of Mallow"),
        ("irish washerwomn", "The Irish Washerwoman"),
        ("irish washer", "The Irish Washerwoman"),
        ("jennys weding", "Jenny's Wedding"),
        ("chief oneills favorite", "Chief O'Neill's Favorite"),
        ("chief o’neill’s fav", "Chief O'Neill's Favorite"),
        ("st patricks day", "St. Patrick's Day"),
        ("may-pole", "May-Pole"),
    ],
)
def test_tune_is_found_by_typed_text(service: httpx.Client, q: str, first: str) -> None:
    assert _titles(service, q, size=3)[0] == first


@pytest.mark.parametrize(
    ("q", "title"), [("rakse of malow", "The Rakes of Mallow"), ("planxty brown carolan", "Planxty Browne")]
)
def test_tune_is_near_the_top_if_another_matches_as_well(service: httpx.Client, q: str, title: str) -> None:
    assert title in _titles(service, q, size=3)


@pytest.mark.parametrize("typed", ["rak", "rake", "rakes", "rakes o", "rakes of", "rakes of m", "rakes of ma"])
def test_tune_stays_among_the_hits_while_typing(service: httpx.Client, typed: str) -> None:
    assert "The Rakes of Mallow" in _titles(service, typed, size=100)


def test_better_kind_of_match_ranks_first(service: httpx.Client) -> None:
    titles = _titles(service, "malow", size=20)
    prefix, doubled, typo = (titles.index(t) for t in ("Malowney's Wife", "The Rakes of Mallow", "Rakes of Marlow"))
    assert prefix < doubled < typo


@pytest.mark.parametrize("q", ["zzzzzz", "rakes xylophone", "🎻", "title:xqzzq AND (", "x" * 512])
def test_text_without_a_match_has_no_hits(service: httpx.Client, q: str) -> None:
    assert _search(service, q)["total"] == 0


@pytest.mark.parametrize("q", ["rakes " * 85, "a " * 256, "mallo kitt moll " * 32, "*", "\\", '"rakes"', "("])
def test_unusual_query_gets_a_response(service: httpx.Client, q: str) -> None:
    assert _search(service, q)["total"] > 0 or q.startswith("mallo")


def test_empty_query_lists_all_documents_by_title(service: httpx.Client) -> None:
    everything = _search(service, size=100)
    assert everything["total"] > 4000
    titles = [hit["document"]["title"] for hit in everything["hits"]]
    assert titles == _titles(service, "", size=100)
    assert any(title.startswith("A ") for title in titles)


def test_matched_words_are_highlighted(service: httpx.Client) -> None:
    [hit] = _search(service, "rakes of malow", size=1)["hits"]
    assert hit["highlight"] == {"title": ["The <mark>Rakes</mark> <mark>of</mark> <mark>Mallow</mark>"]}
    [hit] = _search(service, "chief o'neill", size=1)["hits"]
    assert "<mark>O&#x27;Neill&#x27;s</mark>" in hit["highlight"]["title"][0]


def test_highlight_of_a_harmful_title_is_escaped(service: httpx.Client) -> None:
    [hit] = _search(service, "onerror alert rakes", size=1)["hits"]
    assert hit["document"]["title"] == HARMFUL
    [title] = hit["highlight"]["title"]
    assert title.replace("<mark>", "").replace("</mark>", "") == (
        "&lt;img src=x onerror=alert(1)&gt; &amp; &lt;b&gt;Rakes&lt;/b&gt;"
    )


def test_facets_filter_hits_and_still_count_the_alternatives(service: httpx.Client) -> None:
    unfiltered = _search(service, "rakes")
    forms = {facet["value"]: facet["count"] for facet in unfiltered["facets"]["form"]}
    jigs = _search(service, "rakes", form="Jig")
    assert 0 < jigs["total"] == forms["Jig"] < unfiltered["total"]
    assert {hit["document"]["form"] for hit in jigs["hits"]} == {"Jig"}
    assert {facet["value"]: facet["count"] for facet in jigs["facets"]["form"]} == forms
    assert sum(facet["count"] for facet in jigs["facets"]["difficulty"]) == jigs["total"]
    both = _search(service, "rakes", form=["Jig", "Reel"])
    assert both["total"] == forms["Jig"] + forms["Reel"]
    hard = _search(service, "rakes", form=["Jig", "Reel"], difficulty=5)
    assert {hit["document"]["difficulty"] for hit in hard["hits"]} == {5}


@pytest.mark.parametrize("value", ["hard", "", "9" * 30])
def test_facet_value_of_the_wrong_type_is_a_client_error(service: httpx.Client, value: str) -> None:
    response = service.get("/api/search", params={"difficulty": value})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_filter")


def test_size_of_zero_only_counts(service: httpx.Client) -> None:
    counted = _search(service, "rakes", size=0)
    assert counted["hits"] == []
    assert counted["total"] > 0


@pytest.mark.parametrize("identity", ["plain", "a/b//c", "100%25", "%2F", "a|b", "🎻 Émile", "a?b#c&d=e+f"])
def test_documents_are_read_from_and_written_to_the_table(service: httpx.Client, identity: str) -> None:
    path = f"/api/documents/{quote(identity, safe='')}"
    assert service.get(path).status_code == 404
    sent = '{"title":"New","exact":0.10000000000000000000000000000000000001}'
    put = service.put(path, content=sent, headers=NEW)
    assert put.status_code == 200
    got = service.get(path)
    assert got.json()["id"] == identity
    assert "0.10000000000000000000000000000000000001" in got.text
    assert service.delete(path).status_code == 200
    assert service.delete(path).status_code == 404


def test_item_that_dynamodb_rejects_is_a_client_error(service: httpx.Client) -> None:
    too_exact = service.put("/api/documents/x", content='{"length":1.' + "1" * 50 + "}", headers=NEW)
    assert (too_exact.status_code, too_exact.json()["error"]["code"]) == (400, "rejected")
    no_key = service.put("/api/documents/", content="{}", headers=NEW)
    assert (no_key.status_code, no_key.json()["error"]["code"]) == (400, "rejected")


def test_unavailable_backend_is_reported() -> None:
    settings = RuntimeSettings(opensearch_url="http://127.0.0.1:9", dynamodb_url="http://127.0.0.1:9")
    index, table = OpenSearchIndex(clients.opensearch(settings)), Table(clients.dynamodb(settings), sync.table)
    schema = KeySchema(("id",), ("S",))
    with (
        serving(create_app(sync, index, table, schema)) as url,
        httpx.Client(base_url=url, timeout=HANG_SECONDS, trust_env=False) as client,
    ):
        for path, code in (("/api/search", "index_unavailable"), ("/api/documents/x", "table_unavailable")):
            response = client.get(path, timeout=HANG_SECONDS)
            assert (response.status_code, response.json()["error"]["code"]) == (503, code)
