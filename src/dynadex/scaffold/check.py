"""Whether a Sync fits a sample of its table: told before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from dynadex.change import Item
from dynadex.document.body import decode
from dynadex.document.field_types import FIELD_TYPES, unknown_types
from dynadex.document.identity import document_id
from dynadex.document.mapping_check import MAX_FIELDS, MappingCheck
from dynadex.document.typed_json import typed
from dynadex.errors import SourceError
from dynadex.scaffold.infer import KINDS, has_data_for_names
from dynadex.scaffold.sample import Sample
from dynadex.scaffold.survey import AttributeSurvey, Survey
from dynadex.sync import Sync

_LIMIT_SETTING = "mapping.total_fields.limit"
# A mapping that still grows by so much at the end of a sample does not stop.
_LATE_FIELDS = 20
_MAX_NAMES = 12
_OF_ONE = re.compile(r" in document with id '.*", re.DOTALL)


@dataclass(slots=True)
class CheckFinding:
    """What does not fit. ``kind``: dead-lettered, explosion, impure, stream, type; or, of what is only worth knowing,
    conflict, unmapped, unseen. ``field`` names where, ``items`` how many it concerns, ``example`` one of them."""

    kind: str
    field: str
    message: str
    items: int = 0
    example: str = ""

    @property
    def serious(self) -> bool:
        """Whether it should be mended first."""
        return self.kind in ("dead_lettered", "explosion", "impure", "stream", "type")


@dataclass(slots=True)
class CheckResult:
    """The outcome. ``documents``: items that become one and would be taken; ``left_out``: those that the document
    function leaves out; ``dead-lettered``: those that would be dead-lettered."""

    items: int
    documents: int = 0
    left_out: int = 0
    dead_lettered: int = 0
    fields: int = 0
    findings: list[CheckFinding] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether nothing has to be mended."""
        return not any(finding.serious for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Counts, and every finding."""
        counts = {name: getattr(self, name) for name in ("items", "documents", "left_out", "dead_lettered", "fields")}
        found = [
            {"kind": one.kind, "serious": one.serious, "field": one.field or None, "message": one.message,
             "items": one.items or None, "example": one.example or None}
            for one in self.findings
        ]  # fmt: skip
        return {**counts, "fits": self.fits, "findings": found}

    def add(self, problems: Mapping[tuple[str, str], None], identity: str) -> None:
        """An item that would be dead-lettered, for each problem as field and reason."""
        self.dead_lettered += 1
        for name, reason in problems:
            same = (
                one for one in self.findings if (one.kind, one.field, one.message) == ("dead_lettered", name, reason)
            )
            known = next(same, None)
            if known is None:
                known = CheckFinding("dead_lettered", name, reason, example=identity)
                self.findings.append(known)
            known.items += 1


def check(sync: Sync, sample: Sample) -> CheckResult:
    """Build a document of every item of the sample, and hold it to the declared mappings. Writes nothing."""
    acceptance = MappingCheck(sync.mappings, int(sync.settings.get(_LIMIT_SETTING, MAX_FIELDS)))
    declared = acceptance.fields
    checked = CheckResult(len(sample.items))
    survey, grew_at = Survey(), [declared]
    schema = sample.table.schema
    for item in sample.items:
        identity = document_id(schema, schema.key_of(item))
        _look_at(sync, identity, item, acceptance, checked, survey)
        grew_at.append(acceptance.fields)
    checked.fields = acceptance.fields
    checked.findings += [
        *_types(sync.mappings),
        *_stream(sample),
        *_explosion(acceptance, grew_at, survey),
        *_conflicts(survey, acceptance.mappings),
        *_unmapped(survey, sync),
        *_unseen(survey, sync.mappings),
    ]
    checked.findings.sort(key=lambda one: (not one.serious, -one.items))
    return checked


def tried_on_cluster(checked: CheckResult, refused: Mapping[str, str]) -> None:
    """Put what the cluster said in the place of what was told from the mappings."""
    never_built = [one for one in checked.findings if one.kind == "dead_lettered" and not one.field]
    checked.findings = [one for one in checked.findings if one.kind not in ("dead_lettered", "type")]
    checked.dead_lettered = sum(one.items for one in never_built)
    for identity, reason in refused.items():
        checked.add({("", _without_values(reason)): None}, identity)
    checked.documents = len(checked.bodies) - len(refused)
    checked.findings += never_built
    checked.findings.sort(key=lambda one: (not one.serious, -one.items))


def _without_values(reason: str) -> str:
    """A cluster's reason without the id and the value in it, so that equal reasons are equal."""
    return _OF_ONE.sub("", reason)


def _look_at(
    sync: Sync, identity: str, item: Item, acceptance: MappingCheck, checked: CheckResult, survey: Survey
) -> None:
    built = sync.build(item)
    if sync.build(item) != built and not any(one.kind == "impure" for one in checked.findings):
        message = "the document function makes different documents of one item: let it depend on nothing else"
        checked.findings.append(CheckFinding("impure", "", message, example=identity))
    if built.problem:
        checked.add({("", built.problem): None}, identity)
    elif built.body is None:
        checked.left_out += 1
    else:
        document = decode(built.body)
        survey.add(identity, typed(document)["M"])
        refused = acceptance.refusals(document)
        checked.bodies[identity] = built.body
        if refused:
            checked.add(dict.fromkeys(refused), identity)
        else:
            checked.documents += 1


def _types(mappings: Mapping[str, Any]) -> Iterator[CheckFinding]:
    for name, kind in unknown_types(mappings):
        near = get_close_matches(kind, FIELD_TYPES, 1)
        hint = f"did you mean {near[0]}?" if near else "if a plugin brings it, try --on-cluster"
        yield CheckFinding("type", name, f"OpenSearch has no field type {kind!r}: {hint}")


def _stream(sample: Sample) -> Iterator[CheckFinding]:
    try:
        sample.table.usable_stream()
    except SourceError as error:
        yield CheckFinding("stream", "", f"{error.reason}: no worker can follow it. {error.hint}")


def _explosion(acceptance: MappingCheck, grew_at: list[int], survey: Survey) -> Iterator[CheckFinding]:
    grown = grew_at[-1] - grew_at[0]
    late = grew_at[-1] - grew_at[len(grew_at) * 3 // 4]
    if grown and late >= _LATE_FIELDS:
        message = (
            f"the mapping is dynamic and would grow from {grew_at[0]:,} to {grew_at[-1]:,} fields, {late:,} of them in "
            f'the last quarter of the sample; the index refuses items beyond {MAX_FIELDS:,}. Set "dynamic": False'
        )
        yield CheckFinding("explosion", "", message)
    elif grown:
        message = f"the mapping is dynamic: {grown:,} fields would take their type from the first value that comes"
        yield CheckFinding("unmapped", "", message)
    for seen in _every(survey.root):
        if seen.kinds["M"] and has_data_for_names(seen) and _spec(acceptance.mappings, seen) not in (None, False):
            message = (
                f"{len(seen.children):,} different names in {seen.kinds['M']:,} objects: each would become a field"
            )
            yield CheckFinding("explosion", seen.name, message, seen.kinds["M"], seen.examples["M"])


def _conflicts(survey: Survey, mappings: Mapping[str, Any]) -> Iterator[CheckFinding]:
    for seen in _every(survey.root):
        values, spec = seen.values, _spec(mappings, seen)
        if len(values) > 1 and isinstance(spec, Mapping):
            counts = ", ".join(f"{KINDS[kind]} in {count:,}" for kind, count in values.most_common())
            rarest = values.most_common()[-1][0]
            message = f"{counts}; it is mapped as {spec.get('type', 'object')}"
            yield CheckFinding("conflict", seen.name, message, values[rarest], seen.examples[rarest])


def _unmapped(survey: Survey, sync: Sync) -> Iterator[CheckFinding]:
    names = [seen.name for seen in survey.root.children.values() if _spec(sync.mappings, seen) is None]
    if names and str(sync.mappings.get("dynamic", True)).lower() == "false":
        yield CheckFinding("unmapped", "", f"stored, but not searched: {_listed(names)}")


def _unseen(survey: Survey, mappings: Mapping[str, Any]) -> Iterator[CheckFinding]:
    seen = {one.name for one in _every(survey.root)}
    names = [name for name in _declared(mappings, "") if name not in seen]
    if names and survey.root.present:
        yield CheckFinding("unseen", "", f"mapped, but in no document of the sample: {_listed(names)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _every(seen: AttributeSurvey) -> Iterator[AttributeSurvey]:
    for child in seen.children.values():
        yield child
        yield from _every(child)


def _declared(mappings: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, spec in mappings.get("properties", {}).items():
        if spec.get("enabled", True):
            yield prefix + name
            yield from _declared(spec, f"{prefix}{name}.")


def _spec(mappings: Mapping[str, Any], seen: AttributeSurvey) -> Mapping[str, Any] | bool | None:
    """How the mappings map it; None where they do not, False where they keep it from being parsed."""
    spec: Mapping[str, Any] = mappings
    for name in seen.path:
        found = spec.get("properties", {}).get(name)
        if found is None:
            return None
        if found.get("enabled") is False:
            return False
        spec = found
    return spec
