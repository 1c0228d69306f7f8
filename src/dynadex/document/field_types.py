"""Which values a field of each OpenSearch type takes: pure, and as lenient as OpenSearch 2 is.

It reads "5" as a number, cuts 3.7 to 3 in a whole-number field, and takes an empty text for no value at all. Where the
spelling of a value is so odd that types differ about it ("5d", "NaN"), it counts as refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any

_WHOLE = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsigned_long": (0, 2**64 - 1),
}
_LARGEST = {"half_float": 65504.0, "float": 3.4028234e38, "double": 1.7976931348623157e308}
# Lucene takes no longer term.
MAX_KEYWORD_BYTES = 32766
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_EPOCH_MILLIS = re.compile(r"-?\d+(\.\d+)?")
_ZONE = r"(Z|[+-]\d{2}(:?\d{2})?)?"
_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})"
    rf"(T((?P<hour>\d{{2}})(:(?P<minute>\d{{2}})(:(?P<second>\d{{2}})([.,]\d{{1,9}})?)?)?)?{_ZONE})?)?)?"
)


def complaint(spec: Mapping[str, Any], value: Any) -> str:
    """Why a field mapped like this refuses a single value, no list and not null; empty when it takes it.

    Types that are not known here are taken to accept everything.
    """
    check = _CHECKS.get(spec.get("type", "object"))
    return check(spec, value) if check else ""


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, Mapping):
        return "an object"
    return "text"


def is_date(text: str) -> bool:
    """Whether OpenSearch reads the text as a date (``strict_date_optional_time``)."""
    match = _DATE.fullmatch(text)
    if not match:
        return False
    part = {name: int(found) for name, found in match.groupdict().items() if found is not None}
    try:
        date(max(part["year"], 1), part.get("month", 1), part.get("day", 1))
    except ValueError:
        return False
    return part.get("hour", 0) < 24 and part.get("minute", 0) < 60 and part.get("second", 0) < 60


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
        return f"{kind} takes no {kind_of(value)}"
    if value == "":
        return ""
    number = _number(value)
    if number is None:
        return f"{kind} takes no text that is no number"
    if kind not in _WHOLE:
        return f"the number is too large for {kind}" if abs(number) > Decimal(_LARGEST.get(kind, 1.8e308)) else ""
    smallest, largest = _WHOLE[kind]
    if strict and number != number.to_integral_value():
        return f"{kind} without coerce takes no fraction"
    return "" if smallest <= int(number) <= largest else f"the number does not fit {kind}"


def _boolean(_: Mapping[str, Any], value: Any) -> str:
    taken = isinstance(value, bool) or (isinstance(value, str) and value in ("true", "false", ""))
    return "" if taken else f"boolean takes no {kind_of(value)}" + (" but 'true' and 'false'" * isinstance(value, str))


def _date(spec: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, bool | Mapping):
        return f"date takes no {kind_of(value)}"
    if "format" in spec:
        return ""
    if isinstance(value, str):
        return "" if is_date(value) or _EPOCH_MILLIS.fullmatch(value) else "date takes no text that is no date"
    return "" if abs(value) < 2**63 else "the number is too large for date"


def _keyword(spec: Mapping[str, Any], value: Any) -> str:
    if isinstance(value, Mapping):
        return "keyword takes no object"
    unlimited = "ignore_above" not in spec and (spec.get("index", True) or spec.get("doc_values", True))
    if unlimited and len(str(value).encode("utf-8", "replace")) > MAX_KEYWORD_BYTES:
        return f"keyword takes no more than {MAX_KEYWORD_BYTES} bytes, unless ignore_above is set"
    return ""


def _text(spec: Mapping[str, Any], value: Any) -> str:
    return f"{spec['type']} takes no object" if isinstance(value, Mapping) else ""


def _ip(_: Mapping[str, Any], value: Any) -> str:
    try:
        ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return "ip takes nothing but IP addresses"
    return ""


def _object(spec: Mapping[str, Any], value: Any) -> str:
    return "" if isinstance(value, Mapping) else f"{spec.get('type', 'object')} takes no {kind_of(value)}"


_CHECKS: dict[str, Callable[[Mapping[str, Any], Any], str]] = {
    **dict.fromkeys((*_WHOLE, *_LARGEST, "scaled_float"), _numeric),
    **dict.fromkeys(("text", "search_as_you_type", "match_only_text", "binary"), _text),
    "boolean": _boolean,
    "date": _date,
    "ip": _ip,
    "keyword": _keyword,
    "nested": _object,
    "object": _object,
}


# Of OpenSearch 2 and 3 with the plugins that come with them:
# https://docs.opensearch.org/latest/mappings/supported-field-types/index/
FIELD_TYPES = frozenset((
    *_CHECKS, "alias", "annotated_text", "completion", "constant_keyword", "date_nanos", "date_range", "derived",
    "double_range", "flat_object", "float_range", "geo_point", "geo_shape", "icu_collation_keyword", "integer_range",
    "ip_range", "join", "knn_vector", "long_range", "murmur3", "percolator", "rank_feature", "rank_features",
    "semantic", "star_tree", "token_count", "version", "wildcard", "xy_point", "xy_shape",
))  # fmt: skip


def unknown_types(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Fields and sub-fields of a mapping whose type is none of OpenSearch's, each with that type."""
    for inner in (spec.get("properties", {}), spec.get("fields", {})):
        for name, one in inner.items():
            kind = one.get("type", "object")
            if kind not in FIELD_TYPES:
                yield prefix + name, str(kind)
            yield from unknown_types(one, f"{prefix}{name}.")
