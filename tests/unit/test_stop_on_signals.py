"""Commands stop at the first signal, regardless of what they wait for."""

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
from tests.waiting import HANG_SECONDS, wait_for_end, wait_for_event


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_just_before_or_after_a_wait_stops(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        # A waiting thread holds this lock briefly before and after its wait, when a signal may arrive.
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(number)
        wait_for_event(stop, "the signal")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_delivered_to_another_thread_stops(number: signal.Signals) -> None:
    quit_thread = threading.Event()
    other = threading.Thread(target=quit_thread.wait, daemon=True)
    other.start()
    with stop_on_signals() as stop:
        assert other.ident
        # Sent while this thread waits. A signal to another thread does not interrupt its wait.
        threading.Timer(0.1, signal.pthread_kill, (other.ident, number)).start()
        wait_for_event(stop, "the signal")
    quit_thread.set()
    wait_for_end(other)


def test_signal_handlers_are_restored() -> None:
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
def command_with(standard_error: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until it is stopped, with this file descriptor as its standard error."""
    with subprocess.Popen([sys.executable, "-c", COMMAND], stdout=subprocess.PIPE, stderr=standard_error) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_with_a_closed_standard_error_stops(number: signal.Signals) -> None:
    reads, writes = os.pipe()
    with command_with(writes) as process:
        os.close(writes)
        # `2>&1 | tee log` closes its end at Ctrl-C.
        os.close(reads)
        process.send_signal(number)
        assert process.wait(HANG_SECONDS) == 0


def test_command_with_a_full_standard_error_stops() -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writes, b"x" * 4096)
    os.set_blocking(writes, True)
    with command_with(writes) as process:
        os.close(writes)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_SECONDS) == 0
    os.close(reads)
