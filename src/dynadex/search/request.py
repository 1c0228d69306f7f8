"""Search requests: query parameters become a SearchRequest whose values are within bounds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dynadex.declaration import RELEVANCE, SEARCH_PARAMETERS, Search
from dynadex.search import cursor
from dynadex.search.problem import Problem, bad_request

MAX_HITS = 100
DEFAULT_HITS = 20
MAX_FILTER_VALUES = 50
# Lengths in characters.
MAX_QUERY = 512
MAX_FILTER_VALUE = 512
MAX_TOKEN = 4096
# Control characters that are allowed: a copied title may contain them.
_SPACES = "\t\n\r"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search with its filters and paging.

    Attributes:
        q: The text to search for; empty lists all documents.
        filters: Facet values by field. A document must have one of the values of each field.
        size: The maximum number of hits.
        sort: The name of a declared sort, or None to sort by relevance.
        cursor: The sort values of the previous page's last hit, or None for the first page.
        after: The change token to wait for, unparsed.
    """

    q: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    size: int = DEFAULT_HITS
    sort: str | None = None
    cursor: tuple[cursor.Value, ...] | None = None
    after: str | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """The search that a cursor belongs to: everything except the position and the page size."""
        return self.q, sorted((name, sorted(values)) for name, values in self.filters.items()), self.sort


def parse(parameters: Iterable[tuple[str, str]], search: Search) -> SearchRequest:
    """Return the request in the query parameters. Raises Problem (400) if one of them is invalid."""
    values_of: dict[str, list[str]] = {}
    for name, value in parameters:
        values_of.setdefault(name, []).append(value)
    check_names(values_of, (*SEARCH_PARAMETERS, *search.facets))
    single = {name: single_value(name, values_of.pop(name, [])) for name in SEARCH_PARAMETERS}
    request = SearchRequest(
        q=query_text(single["q"] or ""),
        filters=_filters(values_of),
        size=_size(single["size"]),
        sort=_sort(single["sort"], search),
        after=_token(single["after"]),
    )
    values = cursor.decode(single["cursor"], request.identity) if single["cursor"] is not None else None
    return SearchRequest(request.q, request.filters, request.size, request.sort, values, request.after)


def check_names(names: Iterable[str], known: Sequence[str]) -> None:
    """Raise Problem if a parameter is not known."""
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise bad_request("unknown_parameter", f"Unknown parameter {unknown[:80]!r}.")


def single_value(name: str, values: Sequence[str]) -> str | None:
    """Return the value of a parameter, None if it is absent. Raises Problem if it occurs more than once."""
    if len(values) > 1:
        raise bad_request("repeated_parameter", f"The parameter {name!r} occurs more than once.")
    return values[0] if values else None


def query_text(q: str) -> str:
    """Return the query text. Raises Problem if it is too long or has control characters."""
    if len(q) > MAX_QUERY:
        raise bad_request("query_too_long", f"A query has at most {MAX_QUERY} characters.")
    return _checked(q, "query")


def bad_change_token() -> Problem:
    """Return the Problem of an invalid change token."""
    return bad_request("bad_change_token", "The parameter 'after' must be the change token of a write.")


def _filters(values_of: Mapping[str, list[str]]) -> dict[str, list[str]]:
    all_values = [value for values in values_of.values() for value in values]
    if len(all_values) > MAX_FILTER_VALUES:
        raise bad_request("too_many_filters", f"A search has at most {MAX_FILTER_VALUES} facet values.")
    for value in all_values:
        if len(value) > MAX_FILTER_VALUE:
            raise bad_request("filter_too_long", f"A facet value has at most {MAX_FILTER_VALUE} characters.")
        _checked(value, "facet value")
    return dict(values_of)


def _checked(text: str, what: str) -> str:
    """Reject control characters and unpaired surrogates: no document can be found by them."""
    if any(unicodedata.category(character) in ("Cc", "Cs") and character not in _SPACES for character in text):
        raise bad_request("bad_character", f"A {what} must not contain control characters or unpaired surrogates.")
    return text


def _size(text: str | None) -> int:
    if text is None:
        return DEFAULT_HITS
    if not (text.isascii() and text.isdecimal()) or not 0 <= int(text[:9]) <= MAX_HITS:
        raise bad_request("size_out_of_range", f"The size must be a whole number from 0 to {MAX_HITS}.")
    return int(text)


def _sort(name: str | None, search: Search) -> str | None:
    if name is None or name == RELEVANCE:
        return None
    if name not in search.sorts:
        known = ", ".join((RELEVANCE, *search.sorts))
        raise bad_request("unknown_sort", f"Unknown sort. The sorts of this index are: {known}.")
    return name


def _token(text: str | None) -> str | None:
    if text is not None and not (text.isascii() and text.isprintable() and len(text) <= MAX_TOKEN):
        raise bad_change_token()
    return text
