"""Search, and the checks of a declaration: each returns the checked value, or raises DeclarationError with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dynadex import analysis
from dynadex.errors import DeclarationError

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]*")
# OpenSearch takes names of 255 bytes. A physical index has a time appended to its name, and its private alias "-WRITE".
_MAX_INDEX = 255 - len("-20261124054500-WRITE")
MIN_GC_DELETES_SECONDS = 15 * 60
_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


# Parameters of a search request, and the name of the sort order that needs no declaration.
SEARCH_PARAMETERS = ("q", "size", "sort", "cursor", "after")
RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Search:
    """What the search service and its page offer for an index.

    Examples:
        >>> search = Search(fields={"title": 3, "composer": 1}, facets=("key",), sorts={"newest": "-year"})

    A Sync checks it against the mappings, and raises DeclarationError for a field that is not mapped or whose type
    does not support its use.

    Args:
        fields: Text fields that a query searches, each with its weight relative to the others. Without any, a search
            returns every document.
        facets: Keyword, boolean, number or date fields whose values are counted, and by which results are filtered.
        title: Heading of the page and name of the API; empty for the index name.
        sorts: Sort orders that a client can choose apart from ``relevance``, which always exists: the name of the order
            to its field, with a minus sign before the field for descending order.
        suggest: Text field from which the service completes what is typed; None for no completions.
        version: Number attribute that counts the writes of an item, other than a key attribute. The service increments
            it, and a PUT must name the version that it replaces (optimistic concurrency). None: a PUT replaces any
            existing item.

    Attributes:
        title_fields: Those of the searched fields that are mapped with `dynadex.analysis.title()`, and so tolerate
            misspellings. Set by the Sync from its mappings; not an argument.
    """

    fields: Mapping[str, float] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    title: str = ""
    sorts: Mapping[str, str] = field(default_factory=dict)
    suggest: str | None = None
    version: str | None = None
    title_fields: tuple[str, ...] = field(default=(), init=False, repr=False)

    @property
    def highlights(self) -> tuple[str, ...]:
        """Fields whose matching words are highlighted in results."""
        return tuple(self.fields)


def with_title_fields(search: Search, names: Iterable[str]) -> Search:
    """Return the search with its title fields set."""
    derived = replace(search)
    # The way to set a field of a frozen dataclass that is not an argument.
    object.__setattr__(derived, "title_fields", tuple(names))
    return derived


def checked_table_name(table: str) -> str:
    """Return the name of a DynamoDB table."""
    if not isinstance(table, str) or not _TABLE.fullmatch(table):
        hint = "A table name has 3 to 255 of the characters a-z A-Z 0-9 _ . -"
        raise DeclarationError("declare a Sync of table", repr(table), "that is not a valid table name", hint)
    return table


def checked_index_name(index: str) -> str:
    """Return an index name that leaves room for what dynadex appends to it."""
    if not isinstance(index, str) or not _INDEX.fullmatch(index):
        hint = "An index name is lowercase: letters, digits, '.', '_' and '-', starting with a letter or digit."
        raise DeclarationError("declare a Sync of index", repr(index), "that is not a valid index name", hint)
    if len(index) > _MAX_INDEX:
        raise _contradiction(index, f"the name is longer than {_MAX_INDEX} characters", "Shorten it.")
    if index.endswith(("-sync", "-building", "-unfilled")):
        reason = "names that end in -sync, -building or -unfilled are reserved for dynadex's aliases"
        raise _contradiction(index, reason, "Choose another name.")
    return index


def checked_mappings(index: str, mappings: dict[str, Any]) -> dict[str, Any]:
    """Return mappings that every index can be verified and written with (docs/guarantees.md)."""
    if "mappings" in mappings or "settings" in mappings:
        reason = "the mappings contain a key called mappings or settings, as the body of a create-index call does"
        raise _contradiction(index, reason, "Pass only the value of the key mappings.")
    source = mappings.get("_source", {})
    if isinstance(source, Mapping) and (
        source.get("enabled") is False or source.get("includes") or source.get("excludes")
    ):
        reason = "_source is disabled or filtered, and an index without it cannot be compared with its table"
        raise _contradiction(index, reason, "Remove _source from the mappings.")
    routing = mappings.get("_routing", {})
    if isinstance(routing, Mapping) and routing.get("required"):
        reason = "_routing is required, but dynadex addresses documents by their id alone"
        raise _contradiction(index, reason, "Remove _routing from the mappings.")
    _check_properties(index, mappings, "")
    return mappings


def checked_settings(index: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return index settings, without the prefix ``index.``, that keep tombstones long enough (docs/guarantees.md)."""
    inner = settings.get("index")
    flat = {key.removeprefix("index."): value for key, value in settings.items() if key != "index"}
    if isinstance(inner, Mapping):
        flat = {**inner, **flat}
    for foreign in ("mappings", "aliases", "settings"):
        if foreign in flat:
            raise _contradiction(index, f"the settings contain {foreign}", f"Remove {foreign} from the settings.")
    gc_deletes = flat.get("gc_deletes")
    if gc_deletes is None:
        return flat
    try:
        long_enough = seconds(gc_deletes) >= MIN_GC_DELETES_SECONDS
    except ValueError as error:
        raise _contradiction(index, f"gc_deletes: {error}", "Omit it (15m), or write it as 30m.") from None
    if not long_enough:
        reason = f"gc_deletes is {gc_deletes}: after so short a time, a late writer could restore a deleted item"
        raise _contradiction(index, reason, "Omit it (15m), or make it longer.")
    return flat


def seconds(duration: object) -> float:
    """Return an OpenSearch duration ("15m") in seconds. Raises ValueError where OpenSearch would reject it."""
    match = re.fullmatch(r"(\d+)\s*(nanos|micros|ms|s|m|h|d)", str(duration))
    if not match:
        raise ValueError(f"{duration!r} is not a whole number with a unit, such as 15m")
    return int(match[1]) * _SECONDS[match[2]]


def checked_search(index: str, search: Search, mappings: Mapping[str, Any]) -> Search:
    """Return the search with its title fields, if its fields are mapped with types that support their use.

    Without properties in the mappings, OpenSearch maps fields dynamically: there is nothing to check them against.
    """
    for name in search.facets:
        if name in SEARCH_PARAMETERS:
            reason = f"facet {name!r} has the name of a request parameter"
            raise _contradiction(index, reason, "Name the field differently.")
    if RELEVANCE in search.sorts:
        raise _contradiction(index, f"a sort order is called {RELEVANCE}", "That order always exists: remove it.")
    types = dict(_field_types(mappings.get("properties", {})))
    if not types:
        return search
    _check_fields(index, search, types)
    return with_title_fields(
        search,
        (name for name in _searched_fields(search) if all(f"{name}.{sub}" in types for sub in analysis.SUB_FIELDS)),
    )


def _searched_fields(search: Search) -> list[str]:
    """The fields of queries, and the field of completions."""
    return list(dict.fromkeys((*search.fields, *([search.suggest] if search.suggest else []))))


def _check_fields(index: str, search: Search, types: Mapping[str, str]) -> None:
    sorts = [name.removeprefix("-") for name in search.sorts.values()]
    for name in (*_searched_fields(search), *search.facets, *sorts):
        if name not in types:
            raise _contradiction(index, f"search names {name!r}, which is not in the mappings", "Map it first.")
    for use, names in (("facet", search.facets), ("sort field", sorts)):
        for name in names:
            if types[name] in ("text", "object", "nested"):
                hint = f"Use a keyword field, for example a sub-field {name}.keyword."
                raise _contradiction(index, f"{use} {name!r} is mapped as {types[name]}, which has no values", hint)
    for name in _searched_fields(search):
        if types[name] not in ("text", "keyword", "search_as_you_type"):
            raise _contradiction(index, f"search field {name!r} is mapped as {types[name]}", "Search text fields.")


def _check_properties(index: str, spec: Mapping[str, Any], prefix: str) -> None:
    for inner in ("properties", "fields"):
        properties = spec.get(inner, {})
        if not isinstance(properties, Mapping):
            raise _contradiction(index, f"{prefix}{inner} is not an object", "Write it as {field: {type: ...}}.")
        for name, field_spec in properties.items():
            if not isinstance(field_spec, Mapping):
                hint = f"Write it as {{{name!r}: {{'type': ...}}}}."
                raise _contradiction(index, f"field {prefix}{name} is not an object", hint)
            _check_properties(index, field_spec, f"{prefix}{name}.")


def _field_types(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The path and the type of every field and sub-field."""
    for name, spec in properties.items():
        yield prefix + name, spec.get("type", "object")
        for inner in ("properties", "fields"):
            yield from _field_types(spec.get(inner, {}), f"{prefix}{name}.")


def _contradiction(index: str, reason: str, hint: str) -> DeclarationError:
    return DeclarationError("declare the Sync of index", index, reason, hint)
