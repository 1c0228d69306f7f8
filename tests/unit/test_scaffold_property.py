"""For any table, `dynadex init` writes a valid Sync that dead-letters none of the sampled items."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from dynadex import Sync
from dynadex.document.identity import KeySchema
from dynadex.scaffold.check import check
from dynadex.scaffold.project import from_table
from dynadex.scaffold.render import project_files
from dynadex.scaffold.sample import Sample
from dynadex.settings import RuntimeSettings
from dynadex.source.table import TableDescription
from tests.stranger.any_items import SCALE, enlarged, tables

TABLE = TableDescription("anything", KeySchema(("id",), ("S",)), "arn", "NEW_IMAGE", 0)


def generated(sample: Sample) -> tuple[Sync, dict[str, str]]:
    """The Sync that the generated module declares, and all generated files."""
    files = project_files(from_table(sample, RuntimeSettings(), {}))
    module: dict[str, Any] = {}
    exec(compile(files["anything.py"], "anything.py", "exec"), module)
    return module["sync"], files


@settings(
    max_examples=int(600 * SCALE),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tables())
def test_generated_sync_indexes_every_item_it_was_inferred_from(items: list[dict[str, Any]]) -> None:
    sample = Sample(TABLE, tuple(enlarged(items)), whole=True)
    sync, files = generated(sample)
    result = check(sync, sample)
    assert [finding for finding in result.findings if finding.serious] == []
    assert (result.dead_lettered, result.left_out, result.documents) == (0, 0, len(items))
    compile(files["tests/test_anything.py"], "test_anything.py", "exec")


def test_rare_attributes_beyond_the_limit_are_not_mapped() -> None:
    items = [{"id": {"S": str(n)}, "always": {"N": "1"}, f"rare{n}": {"S": "x"}} for n in range(1500)]
    sample = Sample(TABLE, tuple(items), whole=True)
    sync, files = generated(sample)
    assert 2 < len(sync.mappings["properties"]) <= 500
    assert {"id", "always"} <= sync.mappings["properties"].keys()
    assert "1,002 rare attributes are not mapped" in files["README.md"]
    assert check(sync, sample).fits


def test_map_nested_too_deeply_is_not_parsed() -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(30):
        value = {"M": {"a": value}}
    sample = Sample(TABLE, ({"id": {"S": "1"}, "a": value},), whole=True)
    sync, _ = generated(sample)
    assert str(sync.mappings).count("properties") == 15
    assert check(sync, sample).fits
