"""Values that a field of each OpenSearch type accepts, by the lenient rules of OpenSearch 2. Pure functions.

OpenSearch reads "5" as a number, truncates 3.7 to 3 in an integer field, and treats an empty text as a missing value. A
spelling that some numeric types accept and others reject ("5d", "NaN") counts as rejected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any

_INTEGER_RANGES = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsigned_long": (0, 2**64 - 1),
}
_MAX_FLOATS = {"half_float": 65504.0, "float": 3.4028234e38, "double": 1.7976931348623157e308}
# The length limit of a term in Lucene.
MAX_KEYWORD_BYTES = 32766
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_EPOCH_MILLIS = re.compile(r"-?\d+(\.\d+)?")
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)?"
_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})"
    rf"(T((?P<hour>\d{{2}})(:(?P<minute>\d{{2}})(:(?P<second>\d{{2}})([.,]\d{{1,9}})?)?)?)?{_ZONE})?)?)?"
)


def rejection_reason(spec: Mapping[str, Any], value: Any) -> str:
    """Return why a field with this mapping rejects a value other than a list or null; empty if it accepts it.

    A type without rules here counts as accepting everything.
    """
    check = _CHECKS.get(spec.get("type", "object"))
    return check(spec, value) if check else ""


def kind_of(value: Any) -> str:
    """Return the kind of a value, for a message."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, Mapping):
        return "an object"
    return "text"


def is_date(text: str) -> bool:
    """Return whether OpenSearch parses the text as a date (``strict_date_optional_time``)."""
    match = _DATE.fullmatch(text)
    if not match:
        return False
    parts = {name: int(digits) for name, digits in match.groupdict().items() if digits is not None}
    try:
        date(max(parts["year"], 1), parts.get("month", 1), parts.get("day", 1))
    except ValueError:
        return False
    return parts.get("hour", 0) < 24 and parts.get("minute", 0) < 60 and parts.get("second", 0) < 60


def _not_accepted(kind: str, what: str) -> str:
    return f"fields of type {kind} do not accept {what}"


def _number(text: Any) -> Decimal | None:
    if isinstance(text, str) and not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


def _numeric(spec: Mapping[str, Any], value: Any) -> str:
    kind = spec["type"]
    strict = spec.get("coerce") is False
    if isinstance(value, bool | Mapping) or (strict and isinstance(value, str)):
        return _not_accepted(kind, kind_of(value))
    if value == "":
        return ""
    number = _number(value)
    if number is None:
        return _not_accepted(kind, "text that is not a number")
    if kind not in _INTEGER_RANGES:
        return (
            f"the number is too large for type {kind}" if abs(number) > Decimal(_MAX_FLOATS.get(kind, 1.8e308)) else ""
        )
    smallest, largest = _INTEGER_RANGES[kind]
    if strict and number != number.to_integral_value():
        return f"fields of type {kind} without coerce do not accept a fraction"
    return "" if smallest <= int(number) <= largest else f"the number is outside the range of type {kind}"


def _boolean(_: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, bool) or (isinstance(value, str) and value in ("true", "false", "")):
        return ""
    other_than = " other than 'true' and 'false'" if isinstance(value, str) else ""
    return _not_accepted("boolean", kind_of(value)) + other_than


def _date(spec: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, bool | Mapping):
        return _not_accepted("date", kind_of(value))
    if "format" in spec:
        return ""
    if isinstance(value, str):
        valid = is_date(value) or _EPOCH_MILLIS.fullmatch(value)
        return "" if valid else _not_accepted("date", "text that is not a date")
    return "" if abs(value) < 2**63 else "the number is too large for type date"


def _keyword(spec: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, Mapping):
        return _not_accepted("keyword", "an object")
    unlimited = "ignore_above" not in spec and (spec.get("index", True) or spec.get("doc_values", True))
    if unlimited and len(str(value).encode("utf-8", "replace")) > MAX_KEYWORD_BYTES:
        return _not_accepted("keyword", f"more than {MAX_KEYWORD_BYTES} bytes, unless ignore_above is set")
    return ""


def _text(spec: Mapping[str, Any], value: Any) -> str:
    return _not_accepted(spec["type"], "an object") if isinstance(value, Mapping) else ""


def _ip(_: Mapping[str, Any], value: Any) -> str:
    try:
        ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return "fields of type ip accept only IP addresses"
    return ""


def _object(spec: Mapping[str, Any], value: Any) -> str:
    return "" if isinstance(value, Mapping) else _not_accepted(spec.get("type", "object"), kind_of(value))


_CHECKS: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    **dict.fromkeys((*_INTEGER_RANGES, *_MAX_FLOATS, "scaled_float"), _numeric),
    **dict.fromkeys(("text", "search_as_you_type", "match_only_text", "binary"), _text),
    "boolean": _boolean,
    "date": _date,
    "ip": _ip,
    "keyword": _keyword,
    "nested": _object,
    "object": _object,
}


# Types of OpenSearch 2 and 3 with the plugins that they include:
# https://docs.opensearch.org/latest/mappings/supported-field-types/index/
FIELD_TYPES = frozenset((
    *_CHECKS, "alias", "annotated_text", "completion", "constant_keyword", "date_nanos", "date_range", "derived",
    "double_range", "flat_object", "float_range", "geo_point", "geo_shape", "icu_collation_keyword", "integer_range",
    "ip_range", "join", "knn_vector", "long_range", "murmur3", "percolator", "rank_feature", "rank_features",
    "semantic", "star_tree", "token_count", "version", "wildcard", "xy_point", "xy_shape",
))  # fmt: skip


def unknown_types(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field and sub-field of a mapping whose type OpenSearch does not have, with that type."""
    for inner in (spec.get("properties", {}), spec.get("fields", {})):
        for name, field_spec in inner.items():
            kind = field_spec.get("type", "object")
            if kind not in FIELD_TYPES:
                yield prefix + name, str(kind)
            yield from unknown_types(field_spec, f"{prefix}{name}.")
