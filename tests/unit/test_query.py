"""Search requests to OpenSearch bodies, and replies to answers: both pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dynadex.declaration import Search
from dynadex.search.answer import answer, marked
from dynadex.search.problems import Problem
from dynadex.search.query import DEFAULT_HITS, MARK_END, MARK_START, SearchRequest, body, parse, words

SEARCH = Search(fields={"title": 3, "title.loose": 2, "composer": 1}, facets=("form", "key"))


def test_nothing_asked_for_is_everything_in_order() -> None:
    made = body(SEARCH, parse([], SEARCH.facets), order="title.keyword")
    assert made["query"] == {"match_all": {}}
    assert made["size"] == DEFAULT_HITS
    assert made["sort"] == ["_score", {"title.keyword": {"order": "asc", "unmapped_type": "keyword"}}]


def test_without_an_order_only_the_score_decides() -> None:
    assert body(SEARCH, SearchRequest("reel"))["sort"] == ["_score"]


def test_every_word_must_be_found_in_some_field() -> None:
    must = body(SEARCH, SearchRequest("rakes mallow"))["query"]["bool"]["must"]
    assert [sorted({query for _, _, query in _matches(word)}) for word in must] == [["rakes"], ["mallow"]]
    assert {field for _, field, _ in _matches(must[0])} == {"title", "title.loose", "composer"}


def test_only_the_last_word_may_be_the_beginning_of_one() -> None:
    first, last = body(SEARCH, SearchRequest("rakes mal"))["query"]["bool"]["must"]
    assert "match_bool_prefix" not in {kind for kind, _, _ in _matches(first)}
    assert "match_bool_prefix" in {kind for kind, _, _ in _matches(last)}


def test_a_space_after_the_last_word_finishes_it() -> None:
    assert "match_bool_prefix" not in json.dumps(body(SEARCH, SearchRequest("rakes mal ")))


def test_exact_counts_more_than_a_beginning_and_that_more_than_a_slip() -> None:
    [word] = body(Search(fields={"title": 1}), SearchRequest("mal"))["query"]["bool"]["must"]
    scores = {_kind(one): one["constant_score"]["boost"] for one in word["dis_max"]["queries"]}
    assert scores["exact"] > scores["prefix"] > scores["slip"]


def test_a_long_text_is_searched_without_slips() -> None:
    long = " ".join(["mallow"] * 9)
    assert "fuzziness" in json.dumps(body(SEARCH, SearchRequest("mallow")))
    assert "fuzziness" not in json.dumps(body(SEARCH, SearchRequest(long)))


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("rakes of mallow", ["rakes", "of", "mallow"]),
        ("  rakes\u00a0of\u3000mallow ", ["rakes", "of", "mallow"]),
        ("( rakes - ?", ["rakes"]),
        ("o'neill's 42d", ["o'neill's", "42d"]),
        ("🎻 Émile", ["🎻", "Émile"]),
        ("*", []),
        ("\x00", []),
        ("", []),
    ],
)
def test_words_are_what_a_tokenizer_would_keep(q: str, expected: list[str]) -> None:
    assert words(q) == expected


def test_a_facet_counts_what_else_could_be_chosen_in_it() -> None:
    made = body(SEARCH, SearchRequest(filters={"form": ["Jig", "Reel"], "key": ["G"]}))
    form, key = {"terms": {"form": ["Jig", "Reel"]}}, {"terms": {"key": ["G"]}}
    assert made["post_filter"] == {"bool": {"filter": [form, key]}}
    assert made["aggs"]["form"]["filter"] == {"bool": {"filter": [key]}}
    assert made["aggs"]["key"]["filter"] == {"bool": {"filter": [form]}}


def test_sub_fields_are_searched_but_not_highlighted() -> None:
    assert list(body(SEARCH, SearchRequest("rakes"))["highlight"]["fields"]) == ["title", "composer"]


def test_parameters_become_a_request() -> None:
    given = [("q", "rakes"), ("form", "Jig"), ("form", "Reel"), ("size", "100")]
    assert parse(given, SEARCH.facets) == SearchRequest("rakes", {"form": ["Jig", "Reel"]}, 100)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ([("page", "2")], "unknown_parameter"),
        ([("title", "x")], "unknown_parameter"),
        ([("q", "a"), ("q", "b")], "repeated_parameter"),
        ([("size", "1"), ("size", "1")], "repeated_parameter"),
        ([("q", "x" * 513)], "query_too_long"),
        *(([("size", size)], "size_out_of_range") for size in ("101", "-1", "1.5", "", "ten", "٣", "9" * 5000)),
    ],
)
def test_what_makes_no_sense_is_refused(parameters: list[tuple[str, str]], code: str) -> None:
    with pytest.raises(Problem) as raised:
        parse(parameters, SEARCH.facets)
    assert (raised.value.status, raised.value.code) == (400, code)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (f"The {MARK_START}Rakes{MARK_END} of", "The <mark>Rakes</mark> of"),
        (f"{MARK_START}<b>{MARK_END}&", "<mark>&lt;b&gt;</mark>&amp;"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        (f"{MARK_END}a{MARK_START}b{MARK_START}c{MARK_END}", "ab<mark>c</mark>"),
        (f"{MARK_START}\"'\n{MARK_END}", "<mark>&quot;&#x27;\n</mark>"),
    ],
)
def test_highlights_are_safe_html_whatever_the_text_says(text: str, html: str) -> None:
    assert marked(text) == html


def test_an_answer_has_hits_as_they_are_and_counts_as_people_say_them() -> None:
    document = {"title": "x", "length": Decimal("1.50")}
    reply = {
        "hits": {"total": {"value": 7}, "hits": [{"_id": "a/b", "_source": document}]},
        "aggregations": {
            "form": {"values": {"buckets": [{"key": "Jig", "doc_count": 2}]}},
            "new": {"values": {"buckets": [{"key": 1, "key_as_string": "true", "doc_count": 3}]}},
        },
    }
    assert answer(reply, ["form", "new"]) == {
        "total": 7,
        "hits": [{"id": "a/b", "document": document, "highlight": {}}],
        "facets": {"form": [{"value": "Jig", "count": 2}], "new": [{"value": "true", "count": 3}]},
    }


def _matches(word: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for one in word["dis_max"]["queries"]:
        [(kind, clause)] = one["constant_score"]["filter"].items()
        [(field, match)] = clause.items()
        yield kind, field, match["query"]


def _kind(one: dict[str, Any]) -> str:
    [(kind, clause)] = one["constant_score"]["filter"].items()
    return "prefix" if kind == "match_bool_prefix" else "slip" if "fuzziness" in clause["title"] else "exact"
