"""OpenSearch accepts every item that a mapping was inferred from."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings

from dynadex import Sync, analysis
from dynadex.document.identity import KeySchema
from dynadex.scaffold.check import check
from dynadex.scaffold.infer import infer
from dynadex.scaffold.sample import Sample
from dynadex.scaffold.survey import Survey
from dynadex.scaffold.trial_index import index_on_trial
from dynadex.settings import RuntimeSettings
from dynadex.source.table import TableDescription
from tests.stranger.any_items import SCALE, enlarged, tables

TABLE = TableDescription("inferred", KeySchema(("id",), ("S",)), "arn", "NEW_IMAGE", 0)


def test_every_sampled_item_is_accepted_by_its_inferred_mapping(opensearch_url: str) -> None:
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
        checked = check(sync, Sample(TABLE, tuple(items), whole=True))
        assert index_on_trial(sync, RuntimeSettings(opensearch_url=opensearch_url), checked.bodies) == {}

    taken()
