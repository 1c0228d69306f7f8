"""The steps of a backfill on hosts whose clocks differ within the allowed skew."""

from __future__ import annotations

from dynadex.refill.plan import RefillPlan, sweep_all
from tests.unit.verify_stage import INDEX, Stage


def test_items_scanned_by_a_host_with_a_slow_clock_are_not_swept() -> None:
    stage = Stage()
    song = stage.song(1, indexed=False)
    runtime = stage.runtime()
    true_now = stage.clock.now_us()
    skew = runtime.timing.clock_skew_us
    # The clock of the host of Prepare is fast by 0.8 s, that of the first slice, 0.1 s later, is slow by 0.8 s.
    plan = RefillPlan(true_now + 800_000, (INDEX,))
    assert skew == 1_000_000
    requested = true_now + 100_000 - 800_000
    page = runtime.indexer.prepare_items(stage.table.items().values(), requested)
    result = runtime.indexer.load(page, float("inf"), [INDEX])
    assert result.applied == 1
    sweep_all(runtime, plan)
    assert song in stage.documents()
