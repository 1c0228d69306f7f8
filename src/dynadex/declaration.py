"""Checks of a declaration: each returns the checked value, or raises DeclarationError saying what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dynadex import analysis
from dynadex.errors import DeclarationError

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]*")
# Room within OpenSearch's 255 bytes for the time a physical index is named after, and for its private alias.
_MAX_INDEX = 255 - len("-20261124054500-WRITE")
MIN_GC_DELETES_SECONDS = 15 * 60
_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


# Parameters of a search, and the name of the order that needs no declaration.
SEARCH_PARAMETERS = ("q", "size", "sort", "cursor", "after")
RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Search:
    """What the search service offers for an index.

    ``fields``: the text fields a query looks in, each with its weight. ``facets``: keyword, boolean or number fields
    counted and filtered by. ``title``: what the page is headed with. ``sorts``: orders that a searcher can choose
    beside relevance, each a name and a field, with a minus before it for the largest first. ``suggest``: the text field
    that completes what is being typed. ``version``: the number attribute that counts the writes of an item, so that
    nobody overwrites a change that they have not seen. ``forgiving``: those of the fields that were mapped with
    ``dynadex.analysis.title()``; a Sync sees that by itself.
    """

    fields: Mapping[str, float] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    title: str = ""
    sorts: Mapping[str, str] = field(default_factory=dict)
    suggest: str | None = None
    version: str | None = None
    forgiving: tuple[str, ...] = ()

    @property
    def highlights(self) -> tuple[str, ...]:
        """Fields whose matched words are marked in results."""
        return tuple(self.fields)


def table_name(table: str) -> str:
    """A DynamoDB table's name."""
    if not isinstance(table, str) or not _TABLE.fullmatch(table):
        hint = "A table name has 3 to 255 of the characters a-z A-Z 0-9 _ . -"
        raise DeclarationError("declare a Sync of table", repr(table), "that is no table name", hint)
    return table


def index_name(index: str) -> str:
    """An index name that leaves room for what is appended to it."""
    if not isinstance(index, str) or not _INDEX.fullmatch(index):
        hint = "An index name is lowercase: letters, digits, '.', '_' and '-', starting with a letter or digit."
        raise DeclarationError("declare a Sync of index", repr(index), "that is no index name", hint)
    if len(index) > _MAX_INDEX:
        raise _contradiction(index, f"the name is longer than {_MAX_INDEX} characters", "Shorten it.")
    if index.endswith(("-sync", "-building", "-unfilled")):
        reason = "names ending in -sync, -building and -unfilled are kept for aliases of dynadex's own"
        raise _contradiction(index, reason, "Choose another name.")
    return index


def mappings(index: str, given: dict[str, Any]) -> dict[str, Any]:
    """Mappings that the convergence rule can work with."""
    if "mappings" in given or "settings" in given:
        reason = "the mappings hold a key called mappings or settings: that is the body of a create-index call"
        raise _contradiction(index, reason, "Give what stands below its key mappings.")
    source = given.get("_source", {})
    if isinstance(source, Mapping) and (
        source.get("enabled") is False or source.get("includes") or source.get("excludes")
    ):
        reason = "_source is switched off or cut, and an index without it cannot be compared with its table"
        raise _contradiction(index, reason, "Remove _source from the mappings.")
    routing = given.get("_routing", {})
    if isinstance(routing, Mapping) and routing.get("required"):
        reason = "_routing is required, but documents are found by their key alone"
        raise _contradiction(index, reason, "Remove _routing from the mappings.")
    _check_properties(index, given, "")
    return given


def settings(index: str, given: dict[str, Any]) -> dict[str, Any]:
    """Settings that the convergence rule can work with, without the prefix ``index.``."""
    inner = given.get("index")
    flat = {key.removeprefix("index."): value for key, value in given.items() if key != "index"}
    if isinstance(inner, Mapping):
        flat = {**inner, **flat}
    for unwanted in ("mappings", "aliases", "settings"):
        if unwanted in flat:
            raise _contradiction(index, f"the settings hold {unwanted}", f"Take {unwanted} out of them.")
    kept = flat.get("gc_deletes")
    if kept is None:
        return flat
    try:
        long_enough = seconds(kept) >= MIN_GC_DELETES_SECONDS
    except ValueError as error:
        raise _contradiction(index, f"gc_deletes: {error}", "Leave it out (15m), or write it as 30m.") from None
    if not long_enough:
        reason = f"gc_deletes is {kept}: deletes forgotten so soon let late writers bring deleted items back"
        raise _contradiction(index, reason, "Leave it out (15m), or make it longer.")
    return flat


def seconds(duration: object) -> float:
    """An OpenSearch duration ("15m") in seconds. Raises ValueError, where OpenSearch would refuse it too."""
    match = re.fullmatch(r"(\d+)\s*(nanos|micros|ms|s|m|h|d)", str(duration))
    if not match:
        raise ValueError(f"{duration!r} is not a whole number with a unit, such as 15m")
    return int(match[1]) * _SECONDS[match[2]]


def search(index: str, given: Search, declared: Mapping[str, Any]) -> Search:
    """A search offer whose fields exist, with types that can do what is asked of them."""
    for name in given.facets:
        if name in SEARCH_PARAMETERS:
            raise _contradiction(index, f"facet {name!r} has the name of a parameter", "Name the field differently.")
    if RELEVANCE in given.sorts:
        raise _contradiction(index, f"a sort is called {RELEVANCE}", "That one is always there: leave it out.")
    types = dict(_fields(declared.get("properties", {})))
    if not types:
        return given
    _check_search(index, given, types)
    forgiving = [name for name in _searched(given) if all(f"{name}.{sub}" in types for sub in analysis.SUB_FIELDS)]
    return replace(given, forgiving=tuple(forgiving))


def _searched(given: Search) -> list[str]:
    more = [given.suggest] if given.suggest and given.suggest not in given.fields else []
    return [*given.fields, *more]


def _check_search(index: str, given: Search, types: Mapping[str, str]) -> None:
    sorts = [name.removeprefix("-") for name in given.sorts.values()]
    searched = _searched(given)
    for name in (*searched, *given.facets, *sorts):
        if name not in types:
            raise _contradiction(index, f"search names {name!r}, which the mappings do not have", "Map it first.")
    for what, names in (("facet", given.facets), ("sort field", sorts)):
        for name in names:
            if types[name] in ("text", "object", "nested"):
                hint = f"Use a keyword field, for example a sub-field {name}.keyword."
                raise _contradiction(index, f"{what} {name!r} is mapped as {types[name]}, which has no values", hint)
    for name in searched:
        if types[name] not in ("text", "keyword", "search_as_you_type"):
            raise _contradiction(index, f"search field {name!r} is mapped as {types[name]}", "Search text fields.")


def _check_properties(index: str, given: Mapping[str, Any], prefix: str) -> None:
    for inner in ("properties", "fields"):
        properties = given.get(inner, {})
        if not isinstance(properties, Mapping):
            raise _contradiction(index, f"{prefix}{inner} is not an object", "Give it as {field: {type: ...}}.")
        for name, spec in properties.items():
            if not isinstance(spec, Mapping):
                hint = f"Give it as {{{name!r}: {{'type': ...}}}}."
                raise _contradiction(index, f"field {prefix}{name} is not an object", hint)
            _check_properties(index, spec, f"{prefix}{name}.")


def _fields(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, spec in properties.items():
        yield prefix + name, spec.get("type", "object")
        for inner in ("properties", "fields"):
            yield from _fields(spec.get(inner, {}), f"{prefix}{name}.")


def _contradiction(index: str, reason: str, hint: str) -> DeclarationError:
    return DeclarationError("declare the Sync of index", index, reason, hint)
