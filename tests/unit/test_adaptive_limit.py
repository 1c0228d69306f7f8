"""How many requests may be under way at once, and how the cluster's answers move that."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from dynadex.index.adaptive_limit import SLOW_SECONDS, AdaptiveLimit
from dynadex.index.bulk import External, Outcome, Write
from dynadex.index.writer import Writer
from dynadex.testing import ManualClock

LONG = 60.0


def test_what_the_cluster_does_not_take_halves_what_may_be_under_way() -> None:
    turns = AdaptiveLimit(most=64)
    with ExitStack() as under_way:
        for _ in range(8):
            assert under_way.enter_context(turns.one(LONG))
        turns.note(0.1, not_taken=3)
        assert turns.limit == 4


def test_a_request_that_takes_long_counts_as_not_taken() -> None:
    turns = AdaptiveLimit(most=6)
    with ExitStack() as under_way:
        for _ in range(6):
            under_way.enter_context(turns.one(LONG))
        turns.note(SLOW_SECONDS + 1, not_taken=0)
        assert turns.limit == 3


def test_one_may_always_be_under_way() -> None:
    turns = AdaptiveLimit()
    for _ in range(10):
        with turns.one(LONG) as taken:
            assert taken
            turns.note(0.1, not_taken=1)
    assert turns.limit == 1


def test_a_round_of_good_answers_lets_one_more_through_up_to_the_most() -> None:
    turns = AdaptiveLimit(most=3)
    with turns.one(LONG):
        turns.note(0.1, not_taken=1)
    limits = []
    for _ in range(12):
        turns.note(0.1, not_taken=0)
        limits.append(turns.limit)
    assert limits[0] == 2
    assert limits[1:4].count(2) >= 1
    assert limits[-1] == 3


def test_who_waits_too_long_has_no_turn() -> None:
    turns = AdaptiveLimit(most=1)
    with turns.one(LONG), turns.one(0.0) as taken:
        assert not taken
    with turns.one(0.0) as taken:
        assert taken


def test_who_waits_goes_on_when_another_is_done() -> None:
    turns, waiting, went = AdaptiveLimit(most=1), threading.Event(), threading.Event()

    def second() -> None:
        waiting.set()
        with turns.one(LONG) as taken:
            assert taken
            went.set()

    with turns.one(LONG):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(LONG)
        assert not went.is_set()
    thread.join(LONG)
    assert went.is_set()


class _Busy:
    """A cluster that takes nothing."""

    def __init__(self) -> None:
        self.calls = 0

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:  # noqa: ARG002
        self.calls += 1
        return [{"index": {"status": 429}}]


def test_a_writer_without_a_turn_sends_nothing_and_says_so() -> None:
    turns, cluster, clock = AdaptiveLimit(most=1), _Busy(), ManualClock()
    writer = Writer(cluster, clock, turns=turns)
    with turns.one(LONG):
        [reply] = writer.write_once("songs", [Write("a", None, External(1))], clock.monotonic())
    assert (reply.outcome, cluster.calls) == (Outcome.RETRY, 0)


def test_writers_that_are_refused_send_less_at_once() -> None:
    turns, cluster, clock = AdaptiveLimit(most=8), _Busy(), ManualClock()
    writer = Writer(cluster, clock, turns=turns)
    writer.write_once("songs", [Write("a", None, External(1))], clock.monotonic() + LONG)
    assert turns.limit == 1
