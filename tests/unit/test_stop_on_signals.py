"""Commands stop at the first signal, wherever it finds them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from dynadex.cli.stopping import stop_on_signals

SOON_SECONDS = 10
LONG_SECONDS = 40


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


COMMAND = """
from dynadex.cli.stopping import stop_on_signals
with stop_on_signals() as stop:
    print("up", flush=True)
    stop.wait()
"""


@contextmanager
def command_that_says(standard_error: int) -> Iterator[subprocess.Popen[bytes]]:
    """A command that works until it is stopped, and what it says goes there."""
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=standard_error) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_whose_words_nobody_hears_any_more_stops_all_the_same(number: signal.Signals) -> None:
    reads, writes = os.pipe()
    with command_that_says(writes) as process:
        os.close(writes)
        # As `2>&1 | tee log` does at Ctrl-C.
        os.close(reads)
        process.send_signal(number)
        assert process.wait(LONG_SECONDS) == 0


def test_a_command_whose_words_are_heard_late_stops_all_the_same() -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writes, b"x" * 4096)
    os.set_blocking(writes, True)
    with command_that_says(writes) as process:
        os.close(writes)
        process.send_signal(signal.SIGTERM)
        assert process.wait(LONG_SECONDS) == 0
    os.close(reads)
