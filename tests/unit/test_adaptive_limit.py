"""The limit of concurrent bulk requests, and how replies of the cluster change it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from dynadex.index.adaptive_limit import SLOW_SECONDS, AdaptiveLimit
from dynadex.index.bulk import External, Outcome, Write
from dynadex.index.writer import Writer
from dynadex.testing import ManualClock
from tests.waiting import HANG_SECONDS, wait_for_end, wait_for_event

LONG = HANG_SECONDS


def test_limit_is_halved_when_the_cluster_cannot_accept_a_write() -> None:
    limit = AdaptiveLimit(max_requests=64)
    with ExitStack() as in_flight:
        for _ in range(8):
            assert in_flight.enter_context(limit.slot(LONG))
        limit.record(0.1, not_accepted=3)
        assert limit.current == 4


def test_limit_is_halved_by_a_slow_request() -> None:
    limit = AdaptiveLimit(max_requests=6)
    with ExitStack() as in_flight:
        for _ in range(6):
            in_flight.enter_context(limit.slot(LONG))
        limit.record(SLOW_SECONDS + 1, not_accepted=0)
        assert limit.current == 3


def test_limit_never_falls_below_one() -> None:
    limit = AdaptiveLimit()
    for _ in range(10):
        with limit.slot(LONG) as acquired:
            assert acquired
            limit.record(0.1, not_accepted=1)
    assert limit.current == 1


def test_limit_grows_by_one_per_round_of_successes_up_to_its_maximum() -> None:
    limit = AdaptiveLimit(max_requests=3)
    with limit.slot(LONG):
        limit.record(0.1, not_accepted=1)
    limits = []
    for _ in range(12):
        limit.record(0.1, not_accepted=0)
        limits.append(limit.current)
    assert limits[0] == 2
    assert limits[1:4].count(2) >= 1
    assert limits[-1] == 3


def test_no_slot_is_given_when_the_wait_is_too_long() -> None:
    limit = AdaptiveLimit(max_requests=1)
    with limit.slot(LONG), limit.slot(0.0) as acquired:
        assert not acquired
    with limit.slot(0.0) as acquired:
        assert acquired


def test_waiting_request_gets_the_slot_that_another_frees() -> None:
    limit, waiting, went = AdaptiveLimit(max_requests=1), threading.Event(), threading.Event()

    def second() -> None:
        waiting.set()
        with limit.slot(LONG) as acquired:
            assert acquired
            went.set()

    with limit.slot(LONG):
        thread = threading.Thread(target=second)
        thread.start()
        wait_for_event(waiting, "the second request")
        assert not went.is_set()
    wait_for_end(thread)
    assert went.is_set()


class _BusyCluster:
    """A cluster that takes no write."""

    def __init__(self) -> None:
        self.calls = 0

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002
        self.calls += 1
        return [{"index": {"status": 429}}]


def test_writer_without_a_slot_sends_nothing_and_replies_retry() -> None:
    limit, cluster, clock = AdaptiveLimit(max_requests=1), _BusyCluster(), ManualClock()
    writer = Writer(cluster, clock, concurrency=limit)
    with limit.slot(LONG):
        [reply] = writer.write_once("songs", [Write("a", None, External(1))], clock.monotonic())
    assert (reply.outcome, cluster.calls) == (Outcome.RETRY, 0)


def test_rejected_writes_lower_the_limit() -> None:
    limit, cluster, clock = AdaptiveLimit(max_requests=8), _BusyCluster(), ManualClock()
    writer = Writer(cluster, clock, concurrency=limit)
    writer.write_once("songs", [Write("a", None, External(1))], clock.monotonic() + LONG)
    assert limit.current == 1
