"""Search requests become OpenSearch bodies, and OpenSearch's replies become results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dynadex.declaration import Search, with_title_fields
from dynadex.search.highlight import MARK_END, MARK_START, marked
from dynadex.search.hits import answer, correction, suggestions
from dynadex.search.problem import Problem
from dynadex.search.query import body
from dynadex.search.request import DEFAULT_HITS, SearchRequest, parse
from dynadex.search.sort_order import Order
from dynadex.search.suggest import correction_body, suggest_body
from dynadex.search.tokens import max_tokens, words

PLAIN = Search(fields={"title": 3, "title.loose": 2, "composer": 1}, facets=("form", "key"))
SEARCH = with_title_fields(
    Search(
        fields={"title": 3, "composer": 1},
        facets=("form", "key"),
        sorts={"title": "title.keyword", "longest": "-note_count"},
        suggest="title",
    ),
    ["title"],
)
ORDER = Order(("title.keyword", "id"), unique=True)


def test_search_without_words_lists_all_documents_in_order() -> None:
    all_documents = body(SEARCH, parse([], SEARCH), Order(("title.keyword",)))
    assert all_documents["query"] == {"match_all": {}}
    assert all_documents["size"] == DEFAULT_HITS
    ties = {"title.keyword": {"order": "asc", "unmapped_type": "keyword"}}
    assert all_documents["sort"] == [{"_score": {"order": "desc"}}, ties]


def test_search_without_an_order_is_sorted_by_score_alone() -> None:
    assert body(SEARCH, SearchRequest("reel"))["sort"] == [{"_score": {"order": "desc"}}]


def test_every_word_must_match_in_some_field() -> None:
    must = body(PLAIN, SearchRequest("rakes mallow"))["query"]["bool"]["must"][0]["bool"]["must"]
    assert [sorted({query for _, _, query in _matches(word)}) for word in must] == [["rakes"], ["mallow"]]
    assert {field for _, field, _ in _matches(must[0])} == {"title", "title.loose", "composer"}


def test_only_the_last_word_may_be_a_prefix() -> None:
    first, last = body(PLAIN, SearchRequest("rakes mal"))["query"]["bool"]["must"][0]["bool"]["must"]
    assert "match_bool_prefix" not in {kind for kind, _, _ in _matches(first)}
    assert "match_bool_prefix" in {kind for kind, _, _ in _matches(last)}


def test_a_space_after_the_last_word_finishes_it() -> None:
    assert "match_bool_prefix" not in json.dumps(body(SEARCH, SearchRequest("rakes mal "))["query"])


def test_exact_match_scores_higher_than_a_prefix_and_a_prefix_higher_than_a_typo() -> None:
    [word] = body(Search(fields={"title": 1}), SearchRequest("mal"))["query"]["bool"]["must"][0]["bool"]["must"]
    scores = {_kind(query): query["constant_score"]["boost"] for query in word["dis_max"]["queries"]}
    assert scores["exact"] > scores["prefix"] > scores["typo"]


@pytest.mark.parametrize("search", [SEARCH, PLAIN])
def test_pasted_text_is_searched_without_typos(search: Search) -> None:
    long = " ".join(["mallow"] * 17)
    assert "fuzziness" in json.dumps(body(search, SearchRequest("mallow"))["query"])
    assert "fuzziness" not in json.dumps(body(search, SearchRequest(long)))


MANY_FIELDS = Search(fields={f"f{n}": 1 for n in range(40)})
LONG_TEXTS = [
    "a" * 512, "a " * 256, "a-b-" * 128, "abcdefgh " * 16, "abc d",
    "\u6f22" * 512, "\u6f22" * 16, "abcdefghi,abcdefghi " * 8,
]  # fmt: skip


@pytest.mark.parametrize("search", [SEARCH, PLAIN, MANY_FIELDS])
@pytest.mark.parametrize("q", LONG_TEXTS)
def test_no_text_exceeds_the_clauses_that_a_cluster_allows(search: Search, q: str) -> None:
    assert _clauses(body(search, SearchRequest(q))["query"]) < 1024


def test_title_matches_one_of_several_alternatives_and_exact_titles_rank_first() -> None:
    query = body(SEARCH, SearchRequest("rakes mallow"))["query"]["bool"]
    [alternatives] = query["must"]
    assert all(f"title.{name}" in json.dumps(alternatives) for name in ("loose", "grams", "whole", "start"))
    assert all(f"title.{name}" in json.dumps(query["should"]) for name in ("whole", "bare", "start"))


def test_words_may_be_spread_over_a_title_and_another_field() -> None:
    across = body(SEARCH, SearchRequest("palestrina kyrie"))["query"]["bool"]["must"][0]["bool"]["should"][-1]
    for word in across["bool"]["must"]:
        assert {field for _, field, _ in _matches(word)} == {"title.loose", "composer"}


def test_match_in_a_sub_field_is_highlighted_in_the_title() -> None:
    assert "highlight_query" in body(SEARCH, SearchRequest("rakes"))["highlight"]
    assert "highlight_query" not in body(PLAIN, SearchRequest("rakes"))["highlight"]


def test_sort_precedes_the_tie_breakers_and_documents_without_the_field_come_last() -> None:
    title, key = ({name: {"order": "asc", "unmapped_type": "keyword"}} for name in ORDER.fields)
    by_length = {"note_count": {"order": "desc", "missing": "_last", "unmapped_type": "keyword"}}
    assert body(SEARCH, SearchRequest(sort="longest"), ORDER)["sort"] == [by_length, title, key]
    [first, *others] = body(SEARCH, SearchRequest(sort="title"), ORDER)["sort"]
    assert (list(first), others) == (["title.keyword"], [key])


def test_cursor_continues_after_the_last_hit_of_the_previous_page() -> None:
    request = SearchRequest("reel", size=2)
    hits = [{"_id": str(n), "_source": {}, "sort": [12.5, None, f"id-{n}"]} for n in range(2)]
    page = answer({"hits": {"total": {"value": 9}, "hits": hits}}, Search(), request, ORDER)
    next_page = parse([("q", "reel"), ("size", "50"), ("cursor", page["cursor"])], SEARCH)
    assert next_page.cursor == (12.5, None, "id-1")
    assert body(SEARCH, next_page, ORDER)["search_after"] == [12.5, None, "id-1"]


@pytest.mark.parametrize(("order", "count"), [(ORDER, 1), (Order(("title.keyword",)), 2), (ORDER, 0)])
def test_last_page_and_search_without_a_unique_order_have_no_cursor(order: Order, count: int) -> None:
    hits = [{"_id": "a", "_source": {}, "sort": [1.0, "a", "b"]}] * count
    reply = {"hits": {"total": {"value": count}, "hits": hits}}
    assert answer(reply, Search(), SearchRequest(size=2), order)["cursor"] is None


def test_cursor_with_another_number_of_sort_values_is_rejected() -> None:
    with pytest.raises(Problem, match="cursor"):
        body(SEARCH, SearchRequest(cursor=(1.0, "a")), ORDER)
    with pytest.raises(Problem, match="cursor"):
        body(SEARCH, SearchRequest(cursor=(1.0, "a")), Order(("title.keyword",)))


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


def test_facet_counts_ignore_the_filter_of_the_facet_itself() -> None:
    filtered = body(SEARCH, SearchRequest(filters={"form": ["Jig", "Reel"], "key": ["G"]}))
    form, key = {"terms": {"form": ["Jig", "Reel"]}}, {"terms": {"key": ["G"]}}
    assert filtered["post_filter"] == {"bool": {"filter": [form, key]}}
    assert filtered["aggs"]["form"]["filter"] == {"bool": {"filter": [key]}}
    assert filtered["aggs"]["key"]["filter"] == {"bool": {"filter": [form]}}


def test_sub_fields_are_searched_but_not_highlighted() -> None:
    assert list(body(SEARCH, SearchRequest("rakes"))["highlight"]["fields"]) == ["title", "composer"]


def test_parameters_become_a_request() -> None:
    parameters = [("q", "rakes"), ("form", "Jig"), ("form", "Reel"), ("size", "100")]
    assert parse(parameters, SEARCH) == SearchRequest("rakes", {"form": ["Jig", "Reel"]}, 100)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ([("page", "2")], "unknown_parameter"),
        ([("title", "x")], "unknown_parameter"),
        ([("q", "a"), ("q", "b")], "repeated_parameter"),
        ([("size", "1"), ("size", "1")], "repeated_parameter"),
        ([("q", "x" * 513)], "query_too_long"),
        ([("q", "a\x00b")], "bad_character"),
        ([("q", "\ud800")], "bad_character"),
        ([("form", "\x1b")], "bad_character"),
        ([("form", "x" * 513)], "filter_too_long"),
        ([("form", str(n)) for n in range(51)], "too_many_filters"),
        ([("sort", "price")], "unknown_sort"),
        ([("sort", "_score")], "unknown_sort"),
        ([("cursor", "")], "bad_cursor"),
        ([("after", "\n")], "bad_change_token"),
        *(([("size", size)], "size_out_of_range") for size in ("101", "-1", "1.5", "", "ten", "٣", "9" * 5000)),
    ],
)
def test_invalid_parameter_is_rejected(parameters: list[tuple[str, str]], code: str) -> None:
    with pytest.raises(Problem) as raised:
        parse(parameters, SEARCH)
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
def test_highlights_of_any_text_are_safe_html(text: str, html: str) -> None:
    assert marked(text) == html


def test_results_have_unchanged_documents_and_readable_facet_values() -> None:
    document = {"title": "x", "length": Decimal("1.50")}
    reply = {
        "hits": {"total": {"value": 7}, "hits": [{"_id": "a/b", "_source": document}]},
        "aggregations": {
            "form": {"values": {"buckets": [{"key": "Jig", "doc_count": 2}]}},
            "new": {"values": {"buckets": [{"key": 1, "key_as_string": "true", "doc_count": 3}]}},
        },
    }
    assert answer(reply, Search(facets=("form", "new")), SearchRequest()) == {
        "total": 7,
        "hits": [{"id": "a/b", "document": document, "highlight": {}}],
        "facets": {"form": [{"value": "Jig", "count": 2}], "new": [{"value": "true", "count": 3}]},
        "cursor": None,
        "did_you_mean": None,
    }


def test_suggestions_are_distinct_if_the_hits_are_not() -> None:
    marked_hit = {"_source": {"title": "Reel"}, "highlight": {"title": [f"{MARK_START}R{MARK_END}eel"]}}
    hits = [marked_hit, {"_source": {"title": "REEL"}}, {"_source": {"title": "A <b>"}}, {"_source": {}}]
    assert suggestions({"hits": {"hits": hits}}) == [
        {"text": "Reel", "highlight": "<mark>R</mark>eel"},
        {"text": "A <b>", "highlight": "A &lt;b&gt;"},
    ]


def test_suggestions_of_a_title_search_its_sub_fields_and_collapse_duplicates() -> None:
    title_body = suggest_body(SEARCH, "the rak")
    assert title_body["collapse"] == {"field": "title.keyword"}
    assert "title.start" in json.dumps(title_body["query"])
    assert "collapse" not in suggest_body(Search(fields={"title": 1}, suggest="title"), "the rak")


@pytest.mark.parametrize("q", ["", "?!", "x" * 161, "a " * 17])
def test_text_without_words_or_too_long_has_no_completion_or_correction(q: str) -> None:
    assert suggest_body(SEARCH, q)["query"] == correction_body(SEARCH, q)["query"] == {"match_none": {}}


def test_correction_is_an_existing_text_that_differs_from_the_query() -> None:
    reply = {"hits": {"hits": [{"_source": {"work": {"title": ["The Reel"]}}}]}}
    assert correction(reply, "teh rel") == "The Reel"
    assert correction(reply, " the reel ") is None
    assert correction({"hits": {"hits": []}}, "x") is None


def _clauses(query: Any) -> int:
    """Return at least as many clauses as Lucene counts: a term per token, times the expansions of a fuzzy match."""
    if isinstance(query, list):
        return sum(_clauses(part) for part in query)
    if not isinstance(query, dict):
        return 0
    text = query.get("query")
    if isinstance(text, str):
        return max_tokens(text) * len(query.get("fields", [1]))
    return sum(_field_clauses(name, match) for name, match in query.items())


def _field_clauses(name: str, match: Any) -> int:
    if not isinstance(match, dict) or not isinstance(match.get("query"), str) or "fields" in match:
        return _clauses(match)
    text, sub_field = match["query"], name.partition(".")[2]
    tokens = len(text) if sub_field == "grams" else 1 if sub_field in ("whole", "bare", "start") else max_tokens(text)
    return tokens * (match["max_expansions"] if "fuzziness" in match else 1)


def _matches(word: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for query in word["dis_max"]["queries"]:
        [(kind, clause)] = query["constant_score"]["filter"].items()
        [(field, match)] = clause.items()
        yield kind, field, match["query"]


def _kind(query: dict[str, Any]) -> str:
    [(kind, clause)] = query["constant_score"]["filter"].items()
    return "prefix" if kind == "match_bool_prefix" else "typo" if "fuzziness" in clause["title"] else "exact"
