"""What a sample of items shows, attribute by attribute: kinds, counts and shapes, but never a value."""

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
LISTS = ("L", "SS", "NS", "BS")
_IN_SET = {"SS": "S", "NS": "N", "BS": "B"}
# Enough to tell a few values that repeat from many that do not.
_MAX_DISTINCT = 1000
_MAX_PATHS = 20_000
_MAX_INT = 2**63
_IDENTIFIER = re.compile(r"[^\s@]+@[^\s@]+|[a-z][a-z0-9+.-]*:\S+|[0-9A-Fa-f-]{16,}|[A-Z0-9]+([_.:#/-][A-Za-z0-9]+)+")
_DATE_WITH_DAY = len("2026-01-31")


@dataclass(slots=True)
class Texts:
    """What the text values of an attribute are like."""

    count: int = 0
    dates: int = 0
    identifiers: int = 0
    several_words: int = 0
    longest: int = 0
    distinct: set[int] = field(default_factory=set)

    def add(self, text: str) -> None:
        self.count += 1
        self.dates += len(text) >= _DATE_WITH_DAY and is_date(text)
        self.identifiers += bool(_IDENTIFIER.fullmatch(text))
        self.several_words += len(text.split(maxsplit=1)) > 1
        self.longest = max(self.longest, len(text))
        if len(self.distinct) < _MAX_DISTINCT:
            self.distinct.add(hash(text))


@dataclass(slots=True)
class Numbers:
    """What the numbers of an attribute are like."""

    fractions: int = 0
    too_long: int = 0

    def add(self, text: str) -> None:
        number = Decimal(text)
        whole = number == number.to_integral_value()
        self.fractions += not whole
        self.too_long += whole and not -_MAX_INT <= number < _MAX_INT


@dataclass(slots=True)
class AttributeSurvey:
    """One attribute, or one part of a map. ``present``: how many items or maps have it; ``kinds``: values by DynamoDB
    type, those in lists and sets one by one; ``containers``: how often they stood in a list or set; ``examples``: the
    first item with each kind."""

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
        """Kinds without null."""
        return Counter({kind: count for kind, count in self.kinds.items() if kind != "NULL"})

    @property
    def name(self) -> str:
        """As a mapping would name it."""
        return ".".join(self.path)


class Survey:
    """Everything seen in a sample."""

    def __init__(self) -> None:
        self.root = AttributeSurvey(())
        self._paths = 0

    @classmethod
    def of(cls, items: Iterable[tuple[str, Item]]) -> Survey:
        """Of items, each with its id."""
        survey = cls()
        for identity, item in items:
            survey.add(identity, item)
        return survey

    def add(self, identity: str, item: Item) -> None:
        """One more item."""
        self.root.present += 1
        self._look(self.root, {"M": item}, identity)

    def _look(self, seen: AttributeSurvey, value: AttributeValue, identity: str) -> None:
        [(kind, content)] = value.items()
        if kind in LISTS:
            seen.containers[kind] += 1
            for part in content:
                self._look(seen, part if kind == "L" else {_IN_SET[kind]: part}, identity)
            return
        seen.kinds[kind] += 1
        seen.examples.setdefault(kind, identity)
        if kind == "S":
            seen.texts.add(content)
        elif kind == "N":
            seen.numbers.add(content)
        elif kind == "M":
            self._look_inside(seen, content, identity)

    def _look_inside(self, seen: AttributeSurvey, content: Mapping[str, Any], identity: str) -> None:
        for name, value in content.items():
            child = seen.children.get(name)
            if child is None:
                if self._paths >= _MAX_PATHS:
                    continue
                self._paths += 1
                child = seen.children[name] = AttributeSurvey((*seen.path, name))
            child.present += 1
            self._look(child, value, identity)
