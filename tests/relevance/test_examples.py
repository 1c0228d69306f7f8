"""The examples of docs/how-to/search.md on a real OpenSearch."""

from __future__ import annotations

from typing import Any

import pytest
from opensearchpy import OpenSearch

from dynadex.demo.lessons import sync
from dynadex.search import hits, query
from dynadex.search.request import parse
from dynadex.search.suggest import correction_body, suggest_body
from tests.relevance.conftest import ORDER
from tests.relevance.evaluate import Engine


def _titles(client: OpenSearch, engines: list[Engine], q: str) -> list[str]:
    reply = client.search(index=engines[0].index, body=engines[0].body(q))
    return [hit["_source"]["title"] for hit in reply["hits"]["hits"]]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("rakes mallow", "The Rakes Of Mallow"),
        ("Rakes o' Mallow", "The Rakes Of Mallow"),
        ("mallow rakes", "The Rakes Of Mallow"),
        ("rakes of malow", "The Rakes Of Mallow"),
        ("teh raeks of mallow", "The Rakes Of Mallow"),
        ("the rakes of mallo", "The Rakes of Mallo."),
        ("oneills hornpipe", "O'Neill's Hornpipe"),
        ("3 captains", "The Three Captains"),
        ("salt fish and dumplins", "Salt Fish & Dumplins"),
    ],
)
def test_typed_text_finds_the_title_first(typed: str, title: str, client: OpenSearch, engines: list[Engine]) -> None:
    assert _titles(client, engines, typed)[0] == title


@pytest.mark.parametrize("typed", ["Mädchen", "Maedchen", "madchen"])
def test_umlaut_matches_all_its_spellings(typed: str, client: OpenSearch, engines: list[Engine]) -> None:
    titles = _titles(client, engines, typed)
    assert len(titles) == 20
    assert all("aedchen" in title for title in titles[:5])


def test_words_may_be_spread_over_title_and_composer(client: OpenSearch, engines: list[Engine]) -> None:
    reply = client.search(index=engines[0].index, body=engines[0].body("palestrina kyrie"))
    [first, *_] = reply["hits"]["hits"]
    assert ("Kyrie" in first["_source"]["title"], "Palestrina" in first["_source"]["composer"]) == (True, True)


def test_pages_have_each_hit_once(client: OpenSearch, engines: list[Engine]) -> None:
    seen: list[str] = []
    parameters = [("q", "reel"), ("size", "30")]
    requests: list[Any] = [parse(parameters, sync.search)]
    for request in requests:
        reply = client.search(index=engines[0].index, body=query.body(sync.search, request, ORDER))
        page = hits.answer(reply, sync.search, request, ORDER)
        seen += [hit["id"] for hit in page["hits"]]
        if page["cursor"]:
            requests.append(parse([*parameters, ("cursor", page["cursor"])], sync.search))
    assert len(seen) == len(set(seen)) == page["total"] > 90


@pytest.mark.parametrize(("typed", "first"), [("the rak", "The Rak"), ("kyr", "Kyrie"), ("the rkaes of", "The Rakes")])
def test_unfinished_text_is_completed(typed: str, first: str, client: OpenSearch, engines: list[Engine]) -> None:
    reply = client.search(index=engines[0].index, body=suggest_body(sync.search, typed))
    texts = [suggestion["text"] for suggestion in hits.suggestions(reply)]
    assert texts[0].startswith(first)
    assert len({text.casefold() for text in texts}) == len(texts) <= 8


def test_text_without_hits_is_corrected_to_a_title(client: OpenSearch, engines: list[Engine]) -> None:
    typed = "wxyzvqx mallow"
    assert _titles(client, engines, typed) == []
    reply = client.search(index=engines[0].index, body=correction_body(sync.search, typed))
    assert "Mallow" in (hits.correction(reply, typed) or "")
