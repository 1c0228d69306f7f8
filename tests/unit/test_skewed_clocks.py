"""Prepare, slices and finish of a refill run on three hosts, each with a clock within the allowed skew."""

from __future__ import annotations

from dynadex.refill.plan import RefillPlan, sweep_all
from tests.unit.verify_stage import INDEX, Stage


def test_items_scanned_by_a_host_with_a_slow_clock_are_not_swept() -> None:
    stage = Stage()
    song = stage.song(1, indexed=False)
    runtime = stage.runtime()
    true_now = stage.clock.now_us()
    skew = runtime.timing.clock_skew_us
    # Prepare ran on a host whose clock is 0.8 s fast; 0.1 s later the first slice, on a host whose clock is 0.8 s slow.
    plan = RefillPlan(true_now + 800_000, (INDEX,))
    assert skew == 1_000_000
    requested = true_now + 100_000 - 800_000
    page = runtime.indexer.prepare_items(stage.table.items().values(), requested)
    tally = runtime.indexer.load(page, float("inf"), [INDEX])
    assert tally.applied == 1
    sweep_all(runtime, plan)
    assert song in stage.documents()
