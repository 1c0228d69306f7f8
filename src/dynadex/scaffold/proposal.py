"""A proposal for one attribute, and the search options that proposals add up to: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dynadex.declaration import RELEVANCE, SEARCH_PARAMETERS
from dynadex.document.identity import KeySchema
from dynadex.scaffold.survey import Path

Spec = dict[str, Any]
# Names of headlines, the likeliest first.
HEADLINES = ("title", "name", "headline", "subject", "label", "caption", "summary", "description")


@dataclass(frozen=True, slots=True)
class Proposal:
    """How one attribute might be mapped. ``conflict`` names what does not go together, and what to do about it, and
    ``example`` an item that shows it; ``facet``: its values are few and repeat; ``sorts``: it can put items in order;
    ``inside``: the parts of a map."""

    path: Path
    spec: Spec
    reason: str
    conflict: str = ""
    example: str = ""
    facet: bool = False
    sorts: bool = False
    inside: tuple[Proposal, ...] = ()

    @property
    def name(self) -> str:
        """As a search names it."""
        return ".".join(self.path)


def search_fields(proposals: Sequence[Proposal]) -> dict[str, float]:
    """Text fields, the likeliest headline first and with most weight."""
    texts = [one for one in proposals if one.spec.get("type") == "text"]
    ranked = sorted(texts, key=lambda one: (_rank(one), len(one.path)))
    return {one.name: 3 if position == 0 else 1 for position, one in enumerate(ranked[:6])}


def _rank(proposal: Proposal) -> int:
    name = proposal.path[-1].lower()
    return HEADLINES.index(name) if name in HEADLINES else len(HEADLINES) + ("fields" not in proposal.spec)


def search_facets(proposals: Sequence[Proposal], schema: KeySchema) -> tuple[str, ...]:
    taken = {*SEARCH_PARAMETERS, *schema.names}
    return tuple(one.name for one in proposals if one.facet and one.name not in taken)[:6]


def search_sorts(proposals: Sequence[Proposal], schema: KeySchema) -> dict[str, str]:
    """Dates from the newest, numbers from the smallest."""
    sorts = {}
    for one in proposals:
        if one.sorts and len(one.path) == 1 and one.name not in (*schema.names, RELEVANCE):
            sorts[one.name] = f"-{one.name}" if one.spec["type"] == "date" else one.name
    return dict(list(sorts.items())[:4])
