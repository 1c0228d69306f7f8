"""A real OpenSearch takes every item that a mapping was inferred from."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from dynadex import Sync, analysis
from dynadex.document.identity import KeySchema
from dynadex.settings import Settings
from dynadex.source.table import TableDescription
from dynadex.start.check import check
from dynadex.start.infer import infer
from dynadex.start.rehearsal import rehearse
from dynadex.start.sample import Sample
from dynadex.start.seen import Survey
from tests.stranger.any_items import SCALE, enlarged, tables

TABLE = TableDescription("inferred", KeySchema(("id",), ("S",)), "arn", "NEW_IMAGE", 0)


def test_every_sampled_item_is_taken(opensearch_url: str) -> None:
    @settings(
        max_examples=int(60 * SCALE), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(tables())
    def taken(items: list[dict[str, Any]]) -> None:
        items = enlarged(items)
        inferred = infer(Survey.of((item["id"]["S"], item) for item in items), TABLE.schema)
        sync = Sync(
            table="inferred", index="inferred", mappings=inferred.mappings,
            settings={"analysis": analysis.settings()},
            document=lambda item: {name: value for name, value in item.items() if name not in inferred.left_out},
        )  # fmt: skip
        found = check(sync, Sample(TABLE, tuple(items), whole=True))
        assert rehearse(sync, Settings(opensearch_url=opensearch_url), found.bodies) == {}

    taken()
