"""Retrying transient errors."""

from __future__ import annotations

import logging

import pytest

from dynadex.errors import DynadexError, SourceError, SourceUnavailable
from dynadex.retry import Backoff, Retrier
from dynadex.testing import ManualClock

AWAY = SourceUnavailable("read shard", "shard-0", "connection refused")


class Flaky:
    """Raises its errors one after the other, then answers."""

    def __init__(self, *errors: DynadexError) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def retry(clock: ManualClock) -> Retrier:
    return Retrier(clock, logging.getLogger("dynadex.test"), Backoff(first_seconds=1.0, max_seconds=8.0))


def test_what_works_is_neither_waited_for_nor_told_of(retry: Retrier, clock: ManualClock, logged: list[str]) -> None:
    began = clock.monotonic()
    assert retry(Flaky()) == "answer"
    assert (clock.monotonic() - began, logged) == (0, [])


def test_what_may_pass_is_waited_for_and_told_of_once_in_a_while(
    retry: Retrier, clock: ManualClock, logged: list[str]
) -> None:
    began = clock.monotonic()
    assert retry(Flaky(*[AWAY] * 100)) == "answer"
    waited = clock.monotonic() - began
    assert 50 <= waited <= 800
    assert set(logged) == {f"waiting: {AWAY}"}
    assert 1 < len(logged) <= waited / 5 + 1


def test_threads_that_wait_for_the_same_tell_of_it_once(retry: Retrier, logged: list[str]) -> None:
    for _ in range(100):
        retry.log(AWAY)
    assert len(logged) == 1


def test_a_pause_can_be_kept_short(retry: Retrier, clock: ManualClock) -> None:
    began = clock.monotonic()
    retry(Flaky(*[AWAY] * 10), max_pause_seconds=0.25)
    assert clock.monotonic() - began == pytest.approx(2.5)


def test_what_cannot_pass_is_raised_at_once(retry: Retrier, logged: list[str]) -> None:
    refused = SourceError("read shard", "shard-0", "access denied")
    with pytest.raises(SourceError) as caught:
        retry(Flaky(AWAY, refused))
    assert caught.value is refused
    assert logged == [f"waiting: {AWAY}"]
