"""Proposals for the attributes of a table, and the mapping and search options that they add up to. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dynadex.declaration import RELEVANCE, SEARCH_PARAMETERS
from dynadex.document.identity import KeySchema
from dynadex.scaffold.survey import Path

Spec = dict[str, Any]
# Names that a headline usually has, the likeliest first.
HEADLINES = ("title", "name", "headline", "subject", "label", "caption", "summary", "description")
_MAX_SEARCH_FIELDS = _MAX_FACETS = 6
_MAX_SORTS = 4
_HEADLINE_WEIGHT = 3


@dataclass(frozen=True, slots=True)
class Proposal:
    """How to map one attribute.

    Attributes:
        path: Names from the top of the item to the attribute.
        spec: Mapping of the field; empty when the attribute is not mapped or is a map with parts.
        reason: Why it is mapped this way.
        conflict: What in the attribute contradicts itself, and what to do about it; empty when nothing does.
        example: Document id of an item that shows the conflict.
        facet: Whether the values are few and repeat.
        sorts: Whether the values can put items in order.
        inside: Proposals for the parts of a map.
    """

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
        """Field name, as a search refers to it."""
        return ".".join(self.path)


def every_proposal(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    """Yield the proposals and, after each map, those for its parts."""
    for proposal in proposals:
        yield proposal
        yield from every_proposal(proposal.inside)


def properties(proposals: Sequence[Proposal]) -> Spec:
    """Return the ``properties`` of a mapping."""
    mapped: Spec = {}
    for proposal in proposals:
        if proposal.inside:
            mapped[proposal.path[-1]] = {"properties": properties(proposal.inside)}
        elif proposal.spec:
            mapped[proposal.path[-1]] = proposal.spec
    return mapped


def search_fields(proposals: Sequence[Proposal]) -> dict[str, float]:
    """Return text fields with their weights, the likeliest headline first and with most weight."""
    texts = [proposal for proposal in proposals if proposal.spec.get("type") == "text"]
    ranked = sorted(texts, key=lambda text: (_headline_rank(text), len(text.path)))
    return {
        text.name: _HEADLINE_WEIGHT if position == 0 else 1 for position, text in enumerate(ranked[:_MAX_SEARCH_FIELDS])
    }


def _headline_rank(proposal: Proposal) -> int:
    """Return 0 for the likeliest headline; short texts, which have a sub-field to sort by, precede long ones."""
    name = proposal.path[-1].lower()
    return HEADLINES.index(name) if name in HEADLINES else len(HEADLINES) + ("fields" not in proposal.spec)


def search_facets(proposals: Sequence[Proposal], schema: KeySchema) -> tuple[str, ...]:
    """Return fields to offer as facets: not the key, and no name that is a parameter of the search service."""
    taken = {*SEARCH_PARAMETERS, *schema.names}
    facets = [proposal.name for proposal in proposals if proposal.facet and proposal.name not in taken]
    return tuple(facets[:_MAX_FACETS])


def search_sorts(proposals: Sequence[Proposal], schema: KeySchema) -> dict[str, str]:
    """Return sort orders by name: dates newest first, numbers smallest first."""
    taken = {*schema.names, RELEVANCE}
    sorts = {
        proposal.name: f"-{proposal.name}" if proposal.spec["type"] == "date" else proposal.name
        for proposal in proposals
        if proposal.sorts and len(proposal.path) == 1 and proposal.name not in taken
    }
    return dict(list(sorts.items())[:_MAX_SORTS])
