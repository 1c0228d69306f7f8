"""Whatever a table holds, the Sync that `dynadex init` writes is a valid one, and dead-letters none of the sampled
items."""

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


def written(sample: Sample) -> tuple[Sync, dict[str, str]]:
    """The Sync, as the file that is written declares it."""
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
def test_the_sync_that_is_written_takes_every_item_it_was_inferred_from(items: list[dict[str, Any]]) -> None:
    sample = Sample(TABLE, tuple(enlarged(items)), whole=True)
    sync, files = written(sample)
    found = check(sync, sample)
    assert [one for one in found.findings if one.serious] == []
    assert (found.dead_lettered, found.left_out, found.documents) == (0, 0, len(items))
    compile(files["tests/test_anything.py"], "test_anything.py", "exec")


def test_so_many_attributes_are_not_all_mapped() -> None:
    items = [{"id": {"S": str(n)}, "always": {"N": "1"}, f"rare{n}": {"S": "x"}} for n in range(1500)]
    sample = Sample(TABLE, tuple(items), whole=True)
    sync, files = written(sample)
    assert 2 < len(sync.mappings["properties"]) <= 500
    assert {"id", "always"} <= sync.mappings["properties"].keys()
    assert "1,002 attributes that few items have are not mapped" in files["README.md"]
    assert check(sync, sample).fits


def test_a_map_that_lies_too_deep_is_not_parsed() -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(30):
        value = {"M": {"a": value}}
    sample = Sample(TABLE, ({"id": {"S": "1"}, "a": value},), whole=True)
    sync, _ = written(sample)
    assert str(sync.mappings).count("properties") == 15
    assert check(sync, sample).fits
