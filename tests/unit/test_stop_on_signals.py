"""Commands stop at the first signal, wherever it finds them."""

from __future__ import annotations

import signal
import threading

import pytest

from dynadex.cli.options import stop_on_signals

SOON_SECONDS = 10


@pytest.mark.timeout(30)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_wait_stops_all_the_same(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        # Held for a moment by whoever waits, before and after: a signal may come just then.
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(number)
        assert stop.wait(SOON_SECONDS)


def test_afterwards_signals_are_what_they_were() -> None:
    before, threads = signal.getsignal(signal.SIGINT), threading.active_count()
    with stop_on_signals() as stop:
        assert signal.getsignal(signal.SIGINT) is not before
    assert (signal.getsignal(signal.SIGINT), threading.active_count(), stop.is_set()) == (before, threads, False)
