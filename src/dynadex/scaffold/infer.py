"""From what a sample shows to a mapping: one proposal for each attribute, with its reason, and conflicts by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dynadex import analysis
from dynadex.document.identity import KeySchema
from dynadex.document.mapping_check import name_problem
from dynadex.scaffold.proposal import HEADLINES, Proposal, Spec, search_facets, search_fields, search_sorts
from dynadex.scaffold.survey import AttributeSurvey, Survey

KINDS = {"S": "text", "N": "number", "BOOL": "boolean", "B": "binary", "M": "map", "NULL": "null"}
_WORDS = (*HEADLINES, "text", "body", "comment", "comments", "note", "notes", "message", "bio", "about")
_MAX_KEYWORD = 1024
_MAX_SORTED = 256
_MAX_FACET_VALUES, _MAX_FACET_CODES = 50, 20
_REPEATED = 3
_MOSTLY, _SOMETIMES = 0.9, 0.2
_MANY_NAMES = 50  # A map with more, most of them rare, has data for names.
_MAX_FIELDS, _DEEPEST = 500, 15  # OpenSearch allows 1,000 fields and 20 levels.
_NOT_PARSED: Spec = {"type": "object", "enabled": False}


@dataclass(frozen=True, slots=True)
class Inferred:
    """A mapping, and what a search could offer. ``left_out``: attributes that no document can hold by their names;
    ``unmapped``: how many rare ones are not mapped because there are so many."""

    proposals: tuple[Proposal, ...]
    left_out: tuple[str, ...] = ()
    unmapped: int = 0
    fields: dict[str, float] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    sorts: dict[str, str] = field(default_factory=dict)

    @property
    def mappings(self) -> Spec:
        """OpenSearch's own mappings."""
        return {"dynamic": False, "properties": properties(self.proposals)}

    def every(self) -> Iterator[Proposal]:
        """All proposals, those inside maps too."""
        return _every(self.proposals)


def infer(survey: Survey, schema: KeySchema) -> Inferred:
    """Propose a mapping for what was seen in the items of a table with this key."""
    root = survey.root
    seen = [root.children.get(name) or _unseen_key(name, schema) for name in schema.names]
    others = [child for name, child in root.children.items() if name not in schema.names]
    every = [_propose(one, root.present, schema, root) for one in (*seen, *others)]
    proposals = _max_present(every, root)
    kept = [one for one in _every(proposals) if not one.conflict]
    fields = search_fields(kept)
    proposals = _with_headline(proposals, next(iter(fields), None))
    left_out = tuple(one.path[0] for one in every if _refused_name(one.path[0], root))
    unmapped = len(every) - len(proposals)
    return Inferred(
        tuple(proposals), left_out, unmapped, fields, search_facets(kept, schema), search_sorts(kept, schema)
    )


def _max_present(proposals: list[Proposal], root: AttributeSurvey) -> list[Proposal]:
    """Those that fit into a mapping: of too many, the attributes that most items have, in their order."""
    if sum(map(_size, proposals)) <= _MAX_FIELDS:
        return proposals
    room, chosen = _MAX_FIELDS, set()
    present = {one.path[0]: root.children[one.path[0]].present for one in proposals if one.path[0] in root.children}
    for one in sorted(proposals, key=lambda one: -present.get(one.path[0], root.present)):
        if _size(one) > room:
            break
        room -= _size(one)
        chosen.add(one.path)
    return [one for one in proposals if one.path in chosen]


def _with_headline(proposals: Sequence[Proposal], name: str | None) -> list[Proposal]:
    """The same, with the text that heads a search mapped so that it is found however it is remembered and typed."""
    found = []
    for one in proposals:
        inside = tuple(_with_headline(one.inside, name))
        if one.name == name and "fields" in one.spec:
            reason = f"{one.reason.split(';')[0]}: the headline, found in spite of slips, and sorted by its keyword"
            one = replace(one, spec=analysis.title(), reason=reason)
        found.append(replace(one, inside=inside))
    return found


def _size(proposal: Proposal) -> int:
    """Fields of the mapping, about, and lines of the file."""
    return 1 + len(proposal.spec.get("fields", {})) + sum(map(_size, proposal.inside))


def _refused_name(name: str, parent: AttributeSurvey) -> str:
    """Why the parts of a map, or an item, cannot have this name."""
    first = name.split(".")[0]
    if "." in name and first in parent.children:
        return f"OpenSearch sees the object {first!r} in it, which is an attribute, too"
    return name_problem(name, at_root=not parent.path)


def properties(proposals: Sequence[Proposal]) -> Spec:
    """The ``properties`` of a mapping."""
    found: Spec = {}
    for one in proposals:
        if one.inside:
            found[one.path[-1]] = {"properties": properties(one.inside)}
        elif one.spec:
            found[one.path[-1]] = one.spec
    return found


def has_data_for_names(seen: AttributeSurvey) -> bool:
    """Whether the names in these maps are data: very many, and each in few of the maps."""
    names, present = len(seen.children), sum(child.present for child in seen.children.values())
    return names > _MANY_NAMES and present < _SOMETIMES * names * seen.kinds["M"]


def _every(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    for one in proposals:
        yield one
        yield from _every(one.inside)


def _propose(seen: AttributeSurvey, of: int, schema: KeySchema, parent: AttributeSurvey) -> Proposal:
    name = seen.path[-1]
    if problem := _refused_name(name, parent):
        conflict = f"the document function leaves it out, for {problem}; to search it, give it another name there"
        return Proposal(seen.path, {}, "not mapped", conflict)
    if len(seen.path) == 1 and name in schema.names:
        return _key(seen, schema)
    if "." in name:
        return Proposal(
            seen.path, {}, "a dot in a name makes OpenSearch see an object; give it another name to search it"
        )
    values = seen.values
    if not values:
        return Proposal(seen.path, {}, f"never more than null in {_items(seen.present)}: nothing to map it by")
    if len(values) > 1:
        return _conflicting(seen, values)
    [kind] = values
    rare = f" (in {seen.present:,} of {of:,})" if seen.present < of else ""
    if kind == "M":
        return _map(seen, schema, rare)
    one = {"S": _text, "N": _number, "BOOL": _boolean, "B": _binary}[kind](seen)
    sorts = one.spec["type"] in ("date", "long", "double") and not seen.containers
    return replace(one, reason=one.reason + rare, sorts=sorts)


def _unseen_key(name: str, schema: KeySchema) -> AttributeSurvey:
    kind = schema.types[schema.names.index(name)]
    return AttributeSurvey((name,), kinds=Counter({kind: 0}))


def _key(seen: AttributeSurvey, schema: KeySchema) -> Proposal:
    kind = schema.types[schema.names.index(seen.path[0])]
    if kind == "N" and not (seen.numbers.fractions or seen.numbers.too_long):
        return Proposal(seen.path, {"type": "long"}, "a key, whole numbers")
    if kind == "N":
        return Proposal(seen.path, {"type": "keyword"}, "a key with numbers that no whole-number type holds exactly")
    return Proposal(seen.path, {"type": "keyword"}, "a key: found and sorted by its exact value")


def _conflicting(seen: AttributeSurvey, values: Counter[str]) -> Proposal:
    """Of values of several kinds: a type that takes them all, if there is one."""
    counts = ", ".join(f"{KINDS[kind]} in {count:,}" for kind, count in values.most_common())
    rarest = values.most_common()[-1][0]
    example = seen.examples[rarest]
    if "M" in values:
        conflict = f"{counts}: no type takes both; stored, not searched, until the document function makes them one"
        return Proposal(seen.path, dict(_NOT_PARSED), "not searched", conflict, example)
    conflict = f"{counts}: keyword takes both, by their exact text; to compare, convert in the document function"
    return Proposal(seen.path, _keyword(), "exact values", conflict, example)


def _map(seen: AttributeSurvey, schema: KeySchema, rare: str) -> Proposal:
    maps, names = seen.kinds["M"], len(seen.children)
    if has_data_for_names(seen):
        conflict = (
            f"{names:,} different names in {maps:,} maps: names that are data would each become a field of the index; "
            "it is stored and not searched. To search it, let the document function make a list of its names or values"
        )
        return Proposal(seen.path, dict(_NOT_PARSED), "not searched", conflict)
    if not names:
        return Proposal(seen.path, dict(_NOT_PARSED), f"maps, all empty: not searched{rare}")
    refused = next((name for name in seen.children if _refused_name(name, seen)), None)
    if refused is not None or len(seen.path) >= _DEEPEST:
        problem = f"{refused!r}: {_refused_name(refused, seen)}" if refused is not None else "the maps lie too deep"
        conflict = f"{problem}; stored, not searched, until the document function makes something else of it"
        return Proposal(seen.path, dict(_NOT_PARSED), "not searched", conflict)
    inside = tuple(_propose(child, maps, schema, seen) for child in seen.children.values())
    reason = f"maps{rare}"
    if seen.containers["L"]:
        reason = f"lists of maps, searched as if each part were a list of its own{rare}; "
        reason += "map it as nested if two conditions must meet in one of the maps"
    return Proposal(seen.path, {}, reason, inside=inside)


def _text(seen: AttributeSurvey) -> Proposal:
    texts, count = seen.texts, seen.texts.count
    distinct = len(texts.distinct)
    few = distinct <= _MAX_FACET_VALUES and count >= _REPEATED * distinct
    few_codes = few and distinct <= _MAX_FACET_CODES
    if texts.dates == count:
        return Proposal(
            seen.path, {"type": "date"}, f"all {count:,} values are dates; any other would be dead-lettered"
        )
    if texts.dates >= _MOSTLY * count:
        conflict = f"{texts.dates:,} of {count:,} values are dates: keyword takes all; make the others dates or null"
        return Proposal(seen.path, _keyword(), "exact values", conflict)
    worded = texts.several_words / count
    if worded < _SOMETIMES and texts.identifiers >= _MOSTLY * count:
        return Proposal(seen.path, _keyword(), "identifiers: exact values", facet=few_codes)
    if few and seen.path[-1].lower() not in _WORDS and texts.longest <= _MAX_FACET_VALUES:
        return Proposal(seen.path, _keyword(), f"{distinct} different values in {count:,}: exact, a facet", facet=True)
    if worded >= _SOMETIMES or seen.path[-1].lower() in _WORDS:
        reason = f"text: {texts.several_words:,} of {count:,} values have several words"
        if texts.longest > _MAX_SORTED:
            return Proposal(seen.path, {"type": "text"}, f"{reason}, the longest {texts.longest:,} characters")
        keyword = {"type": "keyword", "ignore_above": _MAX_SORTED}
        spec = {"type": "text", "fields": {"keyword": keyword}}
        return Proposal(seen.path, spec, f"{reason}; keyword beside it to sort by")
    return Proposal(seen.path, _keyword(), f"single words, {distinct:,} different in {count:,}: exact values")


def _number(seen: AttributeSurvey) -> Proposal:
    numbers, count = seen.numbers, seen.kinds["N"]
    if numbers.too_long:
        reason = f"{numbers.too_long:,} of {count:,} numbers are longer than any number type: exact values"
        return Proposal(seen.path, _keyword(), reason)
    if numbers.fractions:
        reason = f"{numbers.fractions:,} of {count:,} numbers have a fraction; the document keeps every digit"
        return Proposal(seen.path, {"type": "double"}, reason)
    return Proposal(seen.path, {"type": "long"}, f"{count:,} whole numbers; a fraction would be cut off in searches")


def _boolean(seen: AttributeSurvey) -> Proposal:
    return Proposal(seen.path, {"type": "boolean"}, "true or false", facet=True)


def _binary(seen: AttributeSurvey) -> Proposal:
    return Proposal(seen.path, {"type": "binary"}, "binary, as base64: stored, not searched")


def _keyword() -> Spec:
    return {"type": "keyword", "ignore_above": _MAX_KEYWORD}


def _items(count: int) -> str:
    return f"{count:,} item{'' if count == 1 else 's'}"
