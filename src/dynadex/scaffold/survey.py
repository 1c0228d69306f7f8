"""Survey of a sample: the kinds, counts and shapes of each attribute's values, but never a value itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dynadex.change import AttributeValue, Item
from dynadex.document.field_types import is_date

Path = tuple[str, ...]
KIND_NAMES = {"S": "text", "N": "number", "BOOL": "boolean", "B": "binary", "M": "map", "NULL": "null"}
LISTS = ("L", "SS", "NS", "BS")
_IN_SET = {"SS": "S", "NS": "N", "BS": "B"}
# Enough to distinguish a few repeated values from many different ones.
_MAX_DISTINCT = 1000
_MAX_PATHS = 20_000
_MAX_INT = 2**63
_IDENTIFIER = re.compile(r"[^\s@]+@[^\s@]+|[a-z][a-z0-9+.-]*:\S+|[0-9A-Fa-f-]{16,}|[A-Z0-9]+([_.:#/-][A-Za-z0-9]+)+")
_DATE_WITH_DAY = len("2026-01-31")
# A map with more names than this has data as names, if the average name is in less than this share of the maps.
_MAX_NAMES, _MIN_SHARE = 50, 0.2


@dataclass(slots=True)
class Texts:
    """Counts of an attribute's text values. ``longest`` is in characters; ``distinct`` holds hashes."""

    count: int = 0
    dates: int = 0
    identifiers: int = 0
    several_words: int = 0
    longest: int = 0
    distinct: set[int] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Count one value."""
        self.count += 1
        self.dates += len(text) >= _DATE_WITH_DAY and is_date(text)
        self.identifiers += bool(_IDENTIFIER.fullmatch(text))
        self.several_words += len(text.split(maxsplit=1)) > 1
        self.longest = max(self.longest, len(text))
        if len(self.distinct) < _MAX_DISTINCT:
            self.distinct.add(hash(text))


@dataclass(slots=True)
class Numbers:
    """Counts of an attribute's numbers: those with a fractional part, and whole ones beyond 64 bits."""

    fractions: int = 0
    too_long: int = 0

    def add(self, text: str) -> None:
        """Count one value, in DynamoDB's decimal notation."""
        number = Decimal(text)
        whole = number == number.to_integral_value()
        self.fractions += not whole
        self.too_long += whole and not -_MAX_INT <= number < _MAX_INT


@dataclass(slots=True)
class AttributeSurvey:
    """Survey of one attribute or one part of a map.

    Attributes:
        path: Names from the top of the item.
        present: Number of items or maps that have it.
        kinds: Number of values by DynamoDB type; elements of lists and sets count individually.
        containers: Number of lists and sets by DynamoDB type.
        examples: Document id of the first item with each kind.
        texts: Counts of its text values.
        numbers: Counts of its numbers.
        children: Parts of its maps, by name.
    """

    path: Path
    present: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    containers: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    texts: Texts = field(default_factory=Texts)
    numbers: Numbers = field(default_factory=Numbers)
    children: dict[str, AttributeSurvey] = field(default_factory=dict)

    @property
    def values(self) -> Counter[str]:
        """Number of values by DynamoDB type, without nulls."""
        return Counter({kind: count for kind, count in self.kinds.items() if kind != "NULL"})

    @property
    def name(self) -> str:
        """Field name, as a mapping refers to it."""
        return ".".join(self.path)

    @property
    def has_data_as_names(self) -> bool:
        """Whether the names in its maps are data, such as days: very many, each in few of the maps."""
        names, present = len(self.children), sum(child.present for child in self.children.values())
        return names > _MAX_NAMES and present < _MIN_SHARE * names * self.kinds["M"]


class Survey:
    """Survey of all attributes of a sample; beyond a limit of distinct paths, new ones are ignored."""

    def __init__(self) -> None:
        self.root = AttributeSurvey(())
        self._paths = 0

    @classmethod
    def of(cls, items: Iterable[tuple[str, Item]]) -> Survey:
        """Survey items, each given with its document id."""
        survey = cls()
        for identity, item in items:
            survey.add(identity, item)
        return survey

    def add(self, identity: str, item: Item) -> None:
        """Survey one more item in typed JSON."""
        self.root.present += 1
        self._add_value(self.root, {"M": item}, identity)

    def _add_value(self, attribute: AttributeSurvey, value: AttributeValue, identity: str) -> None:
        [(kind, content)] = value.items()
        if kind in LISTS:
            attribute.containers[kind] += 1
            for part in content:
                self._add_value(attribute, part if kind == "L" else {_IN_SET[kind]: part}, identity)
            return
        attribute.kinds[kind] += 1
        attribute.examples.setdefault(kind, identity)
        if kind == "S":
            attribute.texts.add(content)
        elif kind == "N":
            attribute.numbers.add(content)
        elif kind == "M":
            self._add_map(attribute, content, identity)

    def _add_map(self, attribute: AttributeSurvey, content: Mapping[str, Any], identity: str) -> None:
        for name, value in content.items():
            child = attribute.children.get(name)
            if child is None:
                if self._paths >= _MAX_PATHS:
                    continue
                self._paths += 1
                child = attribute.children[name] = AttributeSurvey((*attribute.path, name))
            child.present += 1
            self._add_value(child, value, identity)
