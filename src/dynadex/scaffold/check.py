"""Check that a Sync fits a sample of its table, before anything is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
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
from dynadex.scaffold.sample import Sample
from dynadex.scaffold.survey import KIND_NAMES, AttributeSurvey, Survey
from dynadex.sync import Sync

_LIMIT_SETTING = "mapping.total_fields.limit"
# A dynamic mapping that gains this many fields in the last quarter of a sample will keep growing.
_MIN_LATE_FIELDS = 20
_MAX_NAMES = 12
_SERIOUS_KINDS = ("dead_lettered", "explosion", "nondeterministic", "stream", "type")
_DOCUMENT_DETAILS = re.compile(r" in document with id '.*", re.DOTALL)


@dataclass(slots=True)
class CheckFinding:
    """One thing that does not fit.

    Attributes:
        kind: ``dead_lettered``, ``explosion`` (the mapping grows without limit), ``nondeterministic`` (the document
            function), ``stream`` or ``type``; or, for information only, ``conflict``, ``unmapped`` or ``unseen``.
        field: The field or attribute; empty when the finding concerns none or several.
        message: What does not fit, and what to do. Quotes no value.
        items: Number of items concerned; 0 when the finding concerns the whole Sync.
        example: Document id of one item concerned.
    """

    kind: str
    field: str
    message: str
    items: int = 0
    example: str = ""

    @property
    def serious(self) -> bool:
        """Whether to fix it before the first backfill."""
        return self.kind in _SERIOUS_KINDS


@dataclass(slots=True)
class CheckResult:
    """Outcome of a check.

    Attributes:
        items: Number of items in the sample.
        documents: Items whose document the index would accept.
        left_out: Items for which the document function returns None.
        dead_lettered: Items that would become dead letters.
        fields: Number of fields in the mapping once every document is indexed.
        findings: Serious findings first.
        bodies: Encoded documents by id.
    """

    items: int
    documents: int = 0
    left_out: int = 0
    dead_lettered: int = 0
    fields: int = 0
    findings: list[CheckFinding] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether no finding is serious."""
        return not any(finding.serious for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the counts and every finding as JSON values."""
        counts = {name: getattr(self, name) for name in ("items", "documents", "left_out", "dead_lettered", "fields")}
        findings = [
            {"kind": finding.kind, "serious": finding.serious, "field": finding.field or None,
             "message": finding.message, "items": finding.items or None, "example": finding.example or None}
            for finding in self.findings
        ]  # fmt: skip
        return {**counts, "fits": self.fits, "findings": findings}

    def add_dead_letter(self, problems: Iterable[tuple[str, str]], identity: str) -> None:
        """Count an item that would be dead-lettered, under each of its distinct problems (field and reason)."""
        self.dead_lettered += 1
        for name, reason in dict.fromkeys(problems):
            key = ("dead_lettered", name, reason)
            finding = next((known for known in self.findings if (known.kind, known.field, known.message) == key), None)
            if finding is None:
                finding = CheckFinding(*key, example=identity)
                self.findings.append(finding)
            finding.items += 1

    def sort_findings(self) -> None:
        """Put serious findings first, and those that concern most items first among them."""
        self.findings.sort(key=lambda finding: (not finding.serious, -finding.items))


def check(sync: Sync, sample: Sample) -> CheckResult:
    """Build the document of every sampled item and compare it with the declared mappings. Writes nothing."""
    mapping_check = MappingCheck(sync.mappings, int(sync.settings.get(_LIMIT_SETTING, MAX_FIELDS)))
    result = CheckResult(len(sample.items))
    survey, field_counts = Survey(), [mapping_check.fields]
    schema = sample.table.schema
    for item in sample.items:
        identity = document_id(schema, schema.key_of(item))
        _check_item(sync, identity, item, mapping_check, result, survey)
        field_counts.append(mapping_check.fields)
    result.fields = mapping_check.fields
    result.findings += [
        *_unknown_types(sync.mappings),
        *_unusable_stream(sample),
        *_growth(mapping_check, field_counts, survey),
        *_conflicts(survey, mapping_check.mappings),
        *_unmapped(survey, sync),
        *_unseen(survey, sync.mappings),
    ]
    result.sort_findings()
    return result


def apply_trial(result: CheckResult, rejections: Mapping[str, str]) -> None:
    """Replace findings derived from the mappings with the cluster's own rejections (reasons by document id)."""
    never_built = [finding for finding in result.findings if finding.kind == "dead_lettered" and not finding.field]
    result.findings = [finding for finding in result.findings if finding.kind not in ("dead_lettered", "type")]
    result.dead_lettered = sum(finding.items for finding in never_built)
    for identity, reason in rejections.items():
        result.add_dead_letter([("", _without_values(reason))], identity)
    result.documents = len(result.bodies) - len(rejections)
    result.findings += never_built
    result.sort_findings()


def _without_values(reason: str) -> str:
    """Remove the document's id and value from a cluster's reason, so that equal reasons compare equal."""
    return _DOCUMENT_DETAILS.sub("", reason)


def _check_item(
    sync: Sync, identity: str, item: Item, mapping_check: MappingCheck, result: CheckResult, survey: Survey
) -> None:
    built = sync.build(item)
    if sync.build(item) != built and not any(finding.kind == "nondeterministic" for finding in result.findings):
        message = (
            "the document function returns different documents for the same item; make it depend on the item alone"
        )
        result.findings.append(CheckFinding("nondeterministic", "", message, example=identity))
    if built.problem:
        result.add_dead_letter([("", built.problem)], identity)
    elif built.body is None:
        result.left_out += 1
    else:
        document = decode(built.body)
        survey.add(identity, typed(document)["M"])
        result.bodies[identity] = built.body
        if rejections := mapping_check.rejections(document):
            result.add_dead_letter(rejections, identity)
        else:
            result.documents += 1


def _unknown_types(mappings: Mapping[str, Any]) -> Iterator[CheckFinding]:
    for name, kind in unknown_types(mappings):
        near = get_close_matches(kind, FIELD_TYPES, 1)
        hint = f"did you mean {near[0]}?" if near else "if a plugin provides it, check again with --on-cluster"
        yield CheckFinding("type", name, f"OpenSearch has no field type {kind!r}: {hint}")


def _unusable_stream(sample: Sample) -> Iterator[CheckFinding]:
    try:
        sample.table.usable_stream()
    except SourceError as error:
        yield CheckFinding("stream", "", f"no worker can follow the table: {error.reason}. {error.hint}")


def _growth(mapping_check: MappingCheck, field_counts: list[int], survey: Survey) -> Iterator[CheckFinding]:
    """Yield a finding for every way in which the mapping grows with the items."""
    declared, final = field_counts[0], field_counts[-1]
    added, added_late = final - declared, final - field_counts[len(field_counts) * 3 // 4]
    if added and added_late >= _MIN_LATE_FIELDS:
        message = (
            f"the mapping is dynamic and would grow from {declared:,} to {final:,} fields, {added_late:,} of them in "
            f'the last quarter of the sample; the index rejects more than {MAX_FIELDS:,} fields. Set "dynamic": False'
        )
        yield CheckFinding("explosion", "", message)
    elif added:
        message = f"the mapping is dynamic: {added:,} fields would take their type from the first value indexed"
        yield CheckFinding("unmapped", "", message)
    for attribute in _every_attribute(survey.root):
        maps = attribute.kinds["M"]
        if maps and attribute.has_data_as_names and _spec(mapping_check.mappings, attribute) not in (None, False):
            message = f"{len(attribute.children):,} different names in {maps:,} objects: each would become a field"
            yield CheckFinding("explosion", attribute.name, message, maps, attribute.examples["M"])


def _conflicts(survey: Survey, mappings: Mapping[str, Any]) -> Iterator[CheckFinding]:
    for attribute in _every_attribute(survey.root):
        values, spec = attribute.values, _spec(mappings, attribute)
        if len(values) > 1 and isinstance(spec, Mapping):
            counts = ", ".join(f"{KIND_NAMES[kind]} in {count:,}" for kind, count in values.most_common())
            rarest = values.most_common()[-1][0]
            message = f"{counts}; mapped as {spec.get('type', 'object')}"
            yield CheckFinding("conflict", attribute.name, message, values[rarest], attribute.examples[rarest])


def _unmapped(survey: Survey, sync: Sync) -> Iterator[CheckFinding]:
    names = [child.name for child in survey.root.children.values() if _spec(sync.mappings, child) is None]
    if names and str(sync.mappings.get("dynamic", True)).lower() == "false":
        yield CheckFinding("unmapped", "", f"stored, but not searchable: {_listed(names)}")


def _unseen(survey: Survey, mappings: Mapping[str, Any]) -> Iterator[CheckFinding]:
    seen = {attribute.name for attribute in _every_attribute(survey.root)}
    names = [name for name in _declared_fields(mappings, "") if name not in seen]
    if names and survey.root.present:
        yield CheckFinding("unseen", "", f"mapped, but in no document of the sample: {_listed(names)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return ", ".join(names[:_MAX_NAMES]) + more


def _every_attribute(parent: AttributeSurvey) -> Iterator[AttributeSurvey]:
    for child in parent.children.values():
        yield child
        yield from _every_attribute(child)


def _declared_fields(mappings: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, spec in mappings.get("properties", {}).items():
        if spec.get("enabled", True):
            yield prefix + name
            yield from _declared_fields(spec, f"{prefix}{name}.")


def _spec(mappings: Mapping[str, Any], attribute: AttributeSurvey) -> Mapping[str, Any] | bool | None:
    """Return how an attribute is mapped: None if it is not, False if an ``enabled: false`` stops it being parsed."""
    spec: Mapping[str, Any] = mappings
    for name in attribute.path:
        inner = spec.get("properties", {}).get(name)
        if inner is None:
            return None
        if inner.get("enabled") is False:
            return False
        spec = inner
    return spec
