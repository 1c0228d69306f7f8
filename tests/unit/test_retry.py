"""Retrying transient errors."""

from __future__ import annotations

import logging

import pytest

from dynadex.errors import DynadexError, SourceError, SourceUnavailable
from dynadex.retry import Backoff, Retrier
from dynadex.testing import ManualClock

UNAVAILABLE = SourceUnavailable("read shard", "shard-0", "connection refused")


class Flaky:
    """Raises its errors one after the other, then returns."""

    def __init__(self, *errors: DynadexError) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "value"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def retry(clock: ManualClock) -> Retrier:
    return Retrier(clock, logging.getLogger("dynadex.test"), Backoff(first_seconds=1.0, max_seconds=8.0))


def test_successful_call_neither_waits_nor_logs(retry: Retrier, clock: ManualClock, logged: list[str]) -> None:
    began = clock.monotonic()
    assert retry(Flaky()) == "value"
    assert (clock.monotonic() - began, logged) == (0, [])


def test_transient_error_is_retried_and_logged_at_intervals(
    retry: Retrier, clock: ManualClock, logged: list[str]
) -> None:
    began = clock.monotonic()
    assert retry(Flaky(*[UNAVAILABLE] * 100)) == "value"
    waited = clock.monotonic() - began
    assert 50 <= waited <= 800
    assert set(logged) == {f"waiting: {UNAVAILABLE}"}
    assert 1 < len(logged) <= waited / 5 + 1


def test_threads_that_share_a_retrier_log_once(retry: Retrier, logged: list[str]) -> None:
    for _ in range(100):
        retry.log(UNAVAILABLE)
    assert len(logged) == 1


def test_pause_is_limited_by_its_maximum(retry: Retrier, clock: ManualClock) -> None:
    began = clock.monotonic()
    retry(Flaky(*[UNAVAILABLE] * 10), max_pause_seconds=0.25)
    assert clock.monotonic() - began == pytest.approx(2.5)


def test_error_that_is_not_retryable_is_raised_immediately(retry: Retrier, logged: list[str]) -> None:
    rejected = SourceError("read shard", "shard-0", "access denied")
    with pytest.raises(SourceError) as caught:
        retry(Flaky(UNAVAILABLE, rejected))
    assert caught.value is rejected
    assert logged == [f"waiting: {UNAVAILABLE}"]
