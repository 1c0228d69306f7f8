"""The parameters of a search to a request that is within bounds: pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dynadex.declaration import RELEVANCE, SEARCH_PARAMETERS, Search
from dynadex.search import cursor
from dynadex.search.problem import bad_request

MAX_HITS = 100
DEFAULT_HITS = 20
MAX_QUERY = 512
MAX_FILTER_VALUES = 50
MAX_FILTER_VALUE = 512
MAX_TOKEN = 4096
# A title that was copied may bring these along.
_SPACES = "\t\n\r"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is wanted.

    ``filters``: values per facet, any of them in each facet. ``sort``: the name of a declared sort, None for
    relevance. ``cursor``: the sort values of the last hit of the page before. ``after``: a change token, as given.
    """

    q: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    size: int = DEFAULT_HITS
    sort: str | None = None
    cursor: tuple[cursor.Value, ...] | None = None
    after: str | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """What a cursor belongs to: everything but where to go on, and how far."""
        return self.q, sorted((name, sorted(values)) for name, values in self.filters.items()), self.sort


def parse(parameters: Iterable[tuple[str, str]], search: Search) -> SearchRequest:
    """The request that query parameters make; raises Problem."""
    given: dict[str, list[str]] = {}
    for name, value in parameters:
        given.setdefault(name, []).append(value)
    unknown = [name for name in given if name not in (*SEARCH_PARAMETERS, *search.facets)]
    if unknown:
        raise bad_request("unknown_parameter", f"There is no parameter {unknown[0][:80]!r}.")
    single = {name: _single(name, given.pop(name, [])) for name in SEARCH_PARAMETERS}
    request = SearchRequest(
        q=query_text(single["q"] or ""),
        filters=_filters(given),
        size=_size(single["size"]),
        sort=_sort(single["sort"], search),
        after=_token(single["after"]),
    )
    values = cursor.decode(single["cursor"], request.identity) if single["cursor"] is not None else None
    return SearchRequest(request.q, request.filters, request.size, request.sort, values, request.after)


def query_text(q: str) -> str:
    """The words searched for, if they are within bounds; raises Problem."""
    if len(q) > MAX_QUERY:
        raise bad_request("query_too_long", f"A query has at most {MAX_QUERY} characters.")
    return _clean(q, "query")


def _single(name: str, values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise bad_request("repeated_parameter", f"The parameter {name!r} is given twice.")
    return values[0] if values else None


def _filters(given: Mapping[str, list[str]]) -> dict[str, list[str]]:
    values = [value for chosen in given.values() for value in chosen]
    if len(values) > MAX_FILTER_VALUES:
        raise bad_request("too_many_filters", f"A search has at most {MAX_FILTER_VALUES} facet values.")
    for value in values:
        if len(value) > MAX_FILTER_VALUE:
            raise bad_request("filter_too_long", f"A facet value has at most {MAX_FILTER_VALUE} characters.")
        _clean(value, "facet value")
    return dict(given)


def _clean(text: str, what: str) -> str:
    """Text without control characters and halves of characters, which no document can be found by."""
    if any(unicodedata.category(one) in ("Cc", "Cs") and one not in _SPACES for one in text):
        raise bad_request("bad_character", f"A {what} has no control characters.")
    return text


def _size(text: str | None) -> int:
    if text is None:
        return DEFAULT_HITS
    if not (text.isascii() and text.isdecimal()) or not 0 <= int(text[:9]) <= MAX_HITS:
        raise bad_request("size_out_of_range", f"The size is a whole number from 0 to {MAX_HITS}.")
    return int(text)


def _sort(name: str | None, search: Search) -> str | None:
    if name is None or name == RELEVANCE:
        return None
    if name not in search.sorts:
        offered = ", ".join((RELEVANCE, *search.sorts))
        raise bad_request("unknown_sort", f"There is no such order; there are: {offered}.")
    return name


def _token(text: str | None) -> str | None:
    if text is not None and not (text.isascii() and text.isprintable() and len(text) <= MAX_TOKEN):
        raise bad_request("bad_change_token", "The parameter 'after' takes the change token of a write.")
    return text
