"""Waiting for what may pass."""

from __future__ import annotations

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
def said() -> list[str]:
    return []


@pytest.fixture
def patience(clock: ManualClock, said: list[str]) -> Retrier:
    return Retrier(said.append, clock, Backoff(first_seconds=1.0, max_seconds=8.0))


def test_what_works_is_neither_waited_for_nor_told_of(patience: Retrier, clock: ManualClock, said: list[str]) -> None:
    began = clock.monotonic()
    assert patience(Flaky()) == "answer"
    assert (clock.monotonic() - began, said) == (0, [])


def test_what_may_pass_is_waited_for_and_told_of_once_in_a_while(
    patience: Retrier, clock: ManualClock, said: list[str]
) -> None:
    began = clock.monotonic()
    assert patience(Flaky(*[AWAY] * 100)) == "answer"
    waited = clock.monotonic() - began
    assert 50 <= waited <= 800
    assert set(said) == {f"waiting: {AWAY}"}
    assert 1 < len(said) <= waited / 5 + 1


def test_threads_that_wait_for_the_same_tell_of_it_once(patience: Retrier, said: list[str]) -> None:
    for _ in range(100):
        patience.tell(AWAY)
    assert len(said) == 1


def test_a_pause_can_be_kept_short(patience: Retrier, clock: ManualClock) -> None:
    began = clock.monotonic()
    patience(Flaky(*[AWAY] * 10), max_pause_seconds=0.25)
    assert clock.monotonic() - began == pytest.approx(2.5)


def test_what_cannot_pass_is_raised_at_once(patience: Retrier, said: list[str]) -> None:
    refused = SourceError("read shard", "shard-0", "access denied")
    with pytest.raises(SourceError) as caught:
        patience(Flaky(AWAY, refused))
    assert caught.value is refused
    assert said == [f"waiting: {AWAY}"]
