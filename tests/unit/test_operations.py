"""Operations in the background: one at a time, and whatever ends them is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dynadex.clock import Clock
from dynadex.demo.operations import NAMES, Operation, Operations
from dynadex.errors import SourceError

SOON = 10.0


class Held:
    """A connection that takes its time: until it is let go, or told to stop."""

    def __init__(self, error: BaseException) -> None:
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.clocks: list[Clock] = []
        self._error = error

    def connect(self, clock: Clock) -> Any:
        self.clocks.append(clock)
        self.begun.set()
        assert self.let_go.wait(SOON)
        raise self._error

    def stop_or_go_on(self, clock: Clock) -> Any:
        self.begun.set()
        clock.sleep(SOON)
        raise AssertionError("it was not stopped")


def ended(operations: Operations) -> Operation:
    """The operation, once it is over."""
    for thread in threading.enumerate():
        if thread.name in NAMES:
            thread.join(SOON)
    now = operations.now()
    assert now
    assert now.state != "running"
    return now


def test_one_runs_at_a_time_and_its_failure_is_told() -> None:
    held = Held(SourceError("read table", "lessons", "it is gone", "Create it."))
    operations = Operations(held.connect)
    assert operations.now() is None
    assert operations.start("verify")
    assert held.begun.wait(SOON)
    assert operations.now() == Operation("verify")
    assert not operations.start("rebuild")
    held.let_go.set()
    now = ended(operations)
    assert (now.name, now.state) == ("verify", "failed")
    assert "it is gone" in now.message
    assert operations.start("rebuild")
    assert ended(operations).name == "rebuild"


def test_a_defect_is_told_without_its_words() -> None:
    held = Held(RuntimeError("secret"))
    held.let_go.set()
    operations = Operations(held.connect)
    operations.start("refill")
    now = ended(operations)
    assert now.state == "failed"
    assert "secret" not in now.message


def test_it_stops_at_once_and_starts_nothing_more() -> None:
    held = Held(AssertionError())
    operations = Operations(held.stop_or_go_on)
    assert operations.start("rebuild")
    assert held.begun.wait(SOON)
    operations.stop()
    assert ended(operations).message == "Stopped before its end."
    assert not operations.start("verify")


def test_there_are_no_others() -> None:
    with pytest.raises(KeyError):
        Operations(Held(AssertionError()).connect).start("drop")
