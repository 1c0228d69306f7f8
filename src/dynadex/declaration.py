"""Checks of a declaration: each returns the checked value, or raises DeclarationError saying what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dynadex.errors import DeclarationError

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_INDEX = re.compile(r"[a-z0-9][a-z0-9._-]*")
# Room within OpenSearch's 255 bytes for the time a physical index is named after, and for its private alias.
_LONGEST_INDEX = 255 - len("-20261124054500-WRITE")
MIN_GC_DELETES_SECONDS = 15 * 60
_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Search:
    """What the search service offers for an index.

    ``fields``: the text fields a query looks in, each with its weight. ``facets``: keyword, boolean or number
    fields counted and filtered by. ``highlights``: fields shown with the matched words marked; default: all text
    fields searched. ``title``: what the page is headed with.
    """

    fields: Mapping[str, float] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    title: str = ""

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
    if len(index) > _LONGEST_INDEX:
        raise _contradiction(index, f"the name is longer than {_LONGEST_INDEX} characters", "Shorten it.")
    if index.endswith(("-sync", "-building")):
        reason = "names ending in -sync and -building are kept for aliases of dynadex's own"
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
    types = dict(_fields(declared.get("properties", {})))
    if not types:
        return given
    for name in (*given.fields, *given.facets):
        if name not in types:
            raise _contradiction(index, f"search names {name!r}, which the mappings do not have", "Map it first.")
    for name in given.facets:
        if types[name] in ("text", "object", "nested"):
            hint = f"Use a keyword field, for example a sub-field {name}.keyword."
            raise _contradiction(index, f"facet {name!r} is mapped as {types[name]}, which has no values", hint)
    for name in given.fields:
        if types[name] not in ("text", "keyword", "search_as_you_type"):
            raise _contradiction(index, f"search field {name!r} is mapped as {types[name]}", "Search text fields.")
    return given


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
