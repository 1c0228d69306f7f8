"""Hostile queries, before a real OpenSearch: each gets a correct answer or a clear refusal, and none takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.http.conftest import HARMFUL, Service
from tests.http.hostile_queries import ALL, ANYTHING, HOSTILE, NOTHING, Hostile
from tests.http.raw import Answer, get, get_target
from tests.http.serving import serving
from tests.unit.service import SECRET, Client

MAX_HITS = 20


@pytest.fixture(scope="module")
def slowest(figure: Callable[[str], None]) -> Iterator[dict[str, float]]:
    """Seconds by query."""
    seconds = dict[str, float]()
    yield seconds
    worst = max(seconds, key=lambda what: seconds[what])
    figure(f"{len(seconds)} hostile queries, the slowest ({worst}) in {seconds[worst]:.2f} s")


@pytest.fixture(scope="module")
def everything(real: Service) -> int:
    """How many documents there are."""
    total: int = Client(real.app).get("/api/search").json()["total"]
    return total


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda one: one.what)
def test_a_hostile_query_is_answered_or_refused(
    real: Service, everything: int, hostile: Hostile, slowest: dict[str, float]
) -> None:
    began = time.perf_counter()
    # The service asks the cluster for at most five seconds, then says that it is not available: that is no answer here.
    answer = get(real.app, "/api/search", {"q": hostile.q, **hostile.parameters})
    slowest[hostile.what] = time.perf_counter() - began
    check(answer, hostile.expected, everything)


def check(answer: Answer, expected: str, everything: int) -> None:
    if answer.status != 200:
        assert (answer.status, answer.json["error"]["code"]) == (400, expected)
        return
    assert SECRET not in answer.text
    hits, total = answer.json["hits"], answer.json["total"]
    assert len(hits) <= MAX_HITS
    if expected == NOTHING:
        assert (total, hits) == (0, [])
    elif expected == ALL:
        assert total == everything
    elif expected != ANYTHING:
        assert [hit["document"]["title"] for hit in hits[:1]] == [expected]


def test_there_are_at_least_sixty_and_no_two_are_alike() -> None:
    assert len({(one.q, *one.parameters.items()) for one in HOSTILE}) == len(HOSTILE) >= 60


@pytest.mark.parametrize("hostile", [one for one in HOSTILE if one.q], ids=lambda one: one.what)
def test_suggestions_for_a_hostile_query_are_safe(real: Service, hostile: Hostile) -> None:
    answer = get(real.app, "/api/suggest", {"q": hostile.q})
    if answer.status != 200:
        assert (answer.status, answer.json["error"]["code"]) == (400, hostile.expected)
        return
    told = answer.json["suggestions"]
    assert len(told) <= 8
    assert not [one for one in told if "<" in one["highlight"].replace("<mark>", "").replace("</mark>", "")]


def test_a_harmful_title_is_shown_as_text(real: Service) -> None:
    [hit] = Client(real.app).get("/api/search", params={"q": "onerror alert rakes", "size": 1}).json()["hits"]
    assert hit["document"]["title"] == HARMFUL["title"]
    [title] = hit["highlight"]["title"]
    assert "<" not in title.replace("<mark>", "").replace("</mark>", "")


def test_no_more_hits_are_given_than_asked_for_in_all(real: Service) -> None:
    """The pages of a search cannot be asked for by depth, only one after the other."""
    client, seen, cursor = Client(real.app), list[str](), dict[str, str]()
    for _ in range(5):
        answer: Any = client.get("/api/search", params={"size": 100, **cursor}).json()
        seen += [hit["id"] for hit in answer["hits"]]
        if not answer["cursor"]:
            break
        cursor = {"cursor": answer["cursor"]}
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "path",
    [
        "/api/search?q=" + "x" * 100_000,
        "/api/search?q=%00",
        "/api/search?q=%ff%fe",
        "/api/search?q=%",
        "/api/search?q=a&q=b",
        "/api/search?" + "&".join(f"form=v{n}" for n in range(60)),
        "/api/search?" + "x&" * 2000,
        "/api/documents/" + "x" * 600,
        "/api/documents/%ff",
        "/api/documents/",
        "/api/suggest?q=" + "x" * 100_000,
        "//",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/..%2f..%2fapi.py",
    ],
    ids=lambda path: path[:40],
)
def test_a_hostile_address_is_refused_by_the_server_as_it_runs(real: Service, path: str) -> None:
    with serving(real.app) as url:
        answer = get_target(url, path)
    assert 200 <= answer.status < 500
    assert "root:" not in answer.text
    assert "Traceback" not in answer.text
