"""Infer a mapping from a survey: one proposal for each attribute, with its reason or its conflict. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dynadex import analysis
from dynadex.document.identity import KeySchema
from dynadex.document.mapping_check import name_problem
from dynadex.scaffold.proposal import (
    HEADLINES,
    Proposal,
    Spec,
    every_proposal,
    properties,
    search_facets,
    search_fields,
    search_sorts,
)
from dynadex.scaffold.survey import KIND_NAMES, AttributeSurvey, Survey
from dynadex.text import counted

# Attributes with these names hold text, even if no sampled value has several words.
_TEXT_NAMES = (*HEADLINES, "text", "body", "comment", "comments", "note", "notes", "message", "bio", "about")
# Characters: longer values are not indexed as keyword, and texts with longer values get no keyword to sort by.
_MAX_KEYWORD, _MAX_SORTED = 1024, 256
# Distinct values of a facet, of a facet of identifiers, and characters of a facet's longest value.
_MAX_FACET_VALUES, _MAX_FACET_IDENTIFIERS, _MAX_FACET_LENGTH = 50, 20, 50
_MIN_REPEATS = 3
# Shares of the values.
_MOSTLY, _SOMETIMES = 0.9, 0.2
# Well below the limits of OpenSearch: 1,000 fields and 20 levels.
_MAX_FIELDS, _MAX_DEPTH = 500, 15
_NOT_PARSED: Spec = {"type": "object", "enabled": False}


@dataclass(frozen=True, slots=True)
class Inferred:
    """A mapping and the search options that suit it.

    Attributes:
        proposals: One for each attribute, key attributes first.
        left_out: Attributes whose names OpenSearch rejects in a document.
        unmapped: Number of rare attributes left unmapped to stay below the limit of fields.
        fields: Search fields and their weights.
        facets: Fields to offer as facets.
        sorts: Sort orders by name.
    """

    proposals: tuple[Proposal, ...]
    left_out: tuple[str, ...] = ()
    unmapped: int = 0
    fields: dict[str, float] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    sorts: dict[str, str] = field(default_factory=dict)

    @property
    def mappings(self) -> Spec:
        """Mappings in OpenSearch's form."""
        return {"dynamic": False, "properties": properties(self.proposals)}

    def every(self) -> Iterator[Proposal]:
        """Yield all proposals, including those inside maps."""
        return every_proposal(self.proposals)


def infer(survey: Survey, schema: KeySchema) -> Inferred:
    """Propose a mapping for the surveyed items of a table with this key."""
    root = survey.root
    keys = [root.children.get(name) or _unseen_key(name, schema) for name in schema.names]
    others = [child for name, child in root.children.items() if name not in schema.names]
    candidates = [_propose(attribute, root.present, schema, root) for attribute in (*keys, *others)]
    proposals = _within_field_limit(candidates, root)
    usable = [proposal for proposal in every_proposal(proposals) if not proposal.conflict]
    fields = search_fields(usable)
    return Inferred(
        proposals=tuple(_with_headline(proposals, next(iter(fields), None))),
        left_out=tuple(proposal.path[0] for proposal in candidates if _rejected_name(proposal.path[0], root)),
        unmapped=len(candidates) - len(proposals),
        fields=fields,
        facets=search_facets(usable, schema),
        sorts=search_sorts(usable, schema),
    )


def _within_field_limit(proposals: list[Proposal], root: AttributeSurvey) -> list[Proposal]:
    """Return the proposals that fit into a mapping, in their order; the rarest attributes are dropped first."""
    if sum(map(_size, proposals)) <= _MAX_FIELDS:
        return proposals
    remaining, chosen = _MAX_FIELDS, set()
    present = {name: child.present for name, child in root.children.items()}
    # A key attribute that no item showed counts as present in every item.
    for proposal in sorted(proposals, key=lambda candidate: -present.get(candidate.path[0], root.present)):
        if _size(proposal) > remaining:
            break
        remaining -= _size(proposal)
        chosen.add(proposal.path)
    return [proposal for proposal in proposals if proposal.path in chosen]


def _with_headline(proposals: Sequence[Proposal], name: str | None) -> list[Proposal]:
    """Return the proposals, the named text mapped as a headline: matched despite typos."""
    mapped = []
    for proposal in proposals:
        inside = tuple(_with_headline(proposal.inside, name))
        if proposal.name == name and "fields" in proposal.spec:
            shown = proposal.reason.split(";")[0]
            reason = f"{shown}; the headline: matched despite typos, sorted by its keyword sub-field"
            proposal = replace(proposal, spec=analysis.title(), reason=reason)
        mapped.append(replace(proposal, inside=inside))
    return mapped


def _size(proposal: Proposal) -> int:
    """Return the approximate number of fields that the proposal adds to the mapping."""
    return 1 + len(proposal.spec.get("fields", {})) + sum(map(_size, proposal.inside))


def _rejected_name(name: str, parent: AttributeSurvey) -> str:
    """Return why OpenSearch rejects the name in this map or item; empty if it accepts the name."""
    first = name.split(".")[0]
    if "." in name and first in parent.children:
        return f"OpenSearch reads its name as a part of {first!r}, which is a separate attribute"
    return name_problem(name, at_root=not parent.path)


def _propose(attribute: AttributeSurvey, total: int, schema: KeySchema, parent: AttributeSurvey) -> Proposal:
    """Return the proposal for one attribute of ``total`` items or maps."""
    name, path = attribute.path[-1], attribute.path
    if problem := _rejected_name(name, parent):
        conflict = f"the document function leaves it out: {problem}. To search it, rename it there"
        return Proposal(path, {}, "not mapped", conflict)
    if len(path) == 1 and name in schema.names:
        return _key(attribute, schema)
    if "." in name:
        reason = "OpenSearch reads a dot in a name as an object. To search it, rename it in the document function"
        return Proposal(path, {}, reason)
    values = attribute.values
    if not values:
        reason = f"only nulls or empty lists in {counted(attribute.present, 'item')}, so its type is unknown"
        return Proposal(path, {}, reason)
    if len(values) > 1:
        return _conflicting(attribute, values)
    [kind] = values
    rare = f" (present in {attribute.present:,} of {total:,})" if attribute.present < total else ""
    if kind == "M":
        return _map(attribute, schema, rare)
    proposal = {"S": _text, "N": _number, "BOOL": _boolean, "B": _binary}[kind](attribute)
    sorts = proposal.spec["type"] in ("date", "long", "double") and not attribute.containers
    return replace(proposal, reason=proposal.reason + rare, sorts=sorts)


def _unseen_key(name: str, schema: KeySchema) -> AttributeSurvey:
    kind = schema.types[schema.names.index(name)]
    return AttributeSurvey((name,), kinds=Counter({kind: 0}))


def _key(attribute: AttributeSurvey, schema: KeySchema) -> Proposal:
    path = attribute.path
    if schema.types[schema.names.index(path[0])] != "N":
        return Proposal(path, {"type": "keyword"}, "key attribute: matched and sorted by its exact value")
    if attribute.numbers.fractions or attribute.numbers.too_long:
        return Proposal(path, {"type": "keyword"}, "key attribute: its numbers fit no integer type exactly")
    return Proposal(path, {"type": "long"}, "key attribute: whole numbers")


def _conflicting(attribute: AttributeSurvey, values: Counter[str]) -> Proposal:
    """Return the proposal for values of several kinds: a type that accepts them all, if there is one."""
    counts = ", ".join(f"{KIND_NAMES[kind]} in {count:,}" for kind, count in values.most_common())
    rarest = values.most_common()[-1][0]
    example = attribute.examples[rarest]
    if "M" in values:
        conflict = (
            f"{counts}: no field type accepts both, so it is stored but not searchable. "
            "To search it, convert its values to one kind in the document function"
        )
        return Proposal(attribute.path, dict(_NOT_PARSED), "not searchable", conflict, example)
    conflict = (
        f"{counts}: mapped as keyword, which accepts both and matches exact text. "
        "To compare values, convert them to one kind in the document function"
    )
    return Proposal(attribute.path, _keyword(), "matched by exact value", conflict, example)


def _map(attribute: AttributeSurvey, schema: KeySchema, rare: str) -> Proposal:
    path, maps, names = attribute.path, attribute.kinds["M"], len(attribute.children)
    if attribute.has_data_as_names:
        conflict = (
            f"{names:,} different names in {maps:,} maps: the names are data, and each would become a field of the "
            "index, so it is stored but not searchable. To search it, make the document function return a list of its "
            "names or values"
        )
        return Proposal(path, dict(_NOT_PARSED), "not searchable", conflict)
    if not names:
        return Proposal(path, dict(_NOT_PARSED), f"only empty maps: not searchable{rare}")
    rejected = next((name for name in attribute.children if _rejected_name(name, attribute)), None)
    if rejected is not None or len(path) >= _MAX_DEPTH:
        problem = "its maps are nested too deeply"
        if rejected is not None:
            problem = f"its part {rejected!r} cannot be indexed: {_rejected_name(rejected, attribute)}"
        conflict = f"{problem}. It is stored but not searchable. To search it, change it in the document function"
        return Proposal(path, dict(_NOT_PARSED), "not searchable", conflict)
    inside = tuple(_propose(child, maps, schema, attribute) for child in attribute.children.values())
    reason = f"map{rare}"
    if attribute.containers["L"]:
        reason = (
            f"list of maps, searched as if each part were a separate list{rare}. "
            "Map it as nested if two conditions must match in the same map"
        )
    return Proposal(path, {}, reason, inside=inside)


def _text(attribute: AttributeSurvey) -> Proposal:
    path, texts, count = attribute.path, attribute.texts, attribute.texts.count
    distinct = len(texts.distinct)
    few = distinct <= _MAX_FACET_VALUES and count >= _MIN_REPEATS * distinct
    named_as_text = path[-1].lower() in _TEXT_NAMES
    if texts.dates == count:
        reason = f"all {count:,} values are dates; an item with any other value would be dead-lettered"
        return Proposal(path, {"type": "date"}, reason)
    if texts.dates >= _MOSTLY * count:
        conflict = (
            f"{texts.dates:,} of {count:,} values are dates: mapped as keyword, which accepts all of them. "
            "To map it as date, convert the other values to dates or null in the document function"
        )
        return Proposal(path, _keyword(), "matched by exact value", conflict)
    share_of_several_words = texts.several_words / count
    if share_of_several_words < _SOMETIMES and texts.identifiers >= _MOSTLY * count:
        facet = few and distinct <= _MAX_FACET_IDENTIFIERS
        return Proposal(path, _keyword(), "identifiers: matched by exact value", facet=facet)
    if few and not named_as_text and texts.longest <= _MAX_FACET_LENGTH:
        reason = f"{counted(distinct, 'distinct value')} in {count:,}: matched by exact value, offered as a facet"
        return Proposal(path, _keyword(), reason, facet=True)
    if share_of_several_words >= _SOMETIMES or named_as_text:
        reason = f"text: {texts.several_words:,} of {count:,} values have several words"
        if texts.longest > _MAX_SORTED:
            return Proposal(path, {"type": "text"}, f"{reason}; the longest has {texts.longest:,} characters")
        keyword = {"type": "keyword", "ignore_above": _MAX_SORTED}
        spec = {"type": "text", "fields": {"keyword": keyword}}
        return Proposal(path, spec, f"{reason}; sorted by its keyword sub-field")
    return Proposal(path, _keyword(), f"single words, {distinct:,} distinct in {count:,}: matched by exact value")


def _number(attribute: AttributeSurvey) -> Proposal:
    path, numbers, count = attribute.path, attribute.numbers, attribute.kinds["N"]
    if numbers.too_long:
        reason = f"{numbers.too_long:,} of {count:,} numbers exceed every integer type: matched by exact value"
        return Proposal(path, _keyword(), reason)
    if numbers.fractions:
        reason = f"{numbers.fractions:,} of {count:,} numbers have a fractional part; the document keeps every digit"
        return Proposal(path, {"type": "double"}, reason)
    return Proposal(path, {"type": "long"}, f"{counted(count, 'whole number')}; searches ignore fractional parts")


def _boolean(attribute: AttributeSurvey) -> Proposal:
    return Proposal(attribute.path, {"type": "boolean"}, "true or false", facet=True)


def _binary(attribute: AttributeSurvey) -> Proposal:
    return Proposal(attribute.path, {"type": "binary"}, "binary, encoded as base64: stored, not searchable")


def _keyword() -> Spec:
    return {"type": "keyword", "ignore_above": _MAX_KEYWORD}
