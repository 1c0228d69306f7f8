"""Commands stop at the first signal, wherever it finds them."""

from __future__ import annotations

import signal
import threading

import pytest

from dynadex.cli.stopping import stop_on_signals

SOON_SECONDS = 10


@pytest.mark.timeout(30)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_wait_stops_all_the_same(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        # Held for a moment by whoever waits, before and after: a signal may come just then.
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(number)
        assert stop.wait(SOON_SECONDS)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_another_thread_receives_stops_all_the_same(number: signal.Signals) -> None:
    quit_thread = threading.Event()
    other = threading.Thread(target=quit_thread.wait, daemon=True)
    other.start()
    with stop_on_signals() as stop:
        assert other.ident
        # Once this thread waits, which it does not leave for a signal of another thread.
        threading.Timer(0.1, signal.pthread_kill, (other.ident, number)).start()
        assert stop.wait(SOON_SECONDS)
    quit_thread.set()
    other.join()


def test_afterwards_signals_are_what_they_were() -> None:
    before, threads = signal.getsignal(signal.SIGINT), threading.active_count()
    with stop_on_signals() as stop:
        assert signal.getsignal(signal.SIGINT) is not before
    assert (signal.getsignal(signal.SIGINT), threading.active_count(), stop.is_set()) == (before, threads, False)
