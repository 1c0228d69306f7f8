"""Operations in the background: one at a time, and every end is reported."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from dynadex.clock import Clock
from dynadex.demo.operations import NAMES, Operation, Operations
from dynadex.errors import SourceError
from tests.waiting import HANG_SECONDS, wait_for_end, wait_for_event


class HeldConnection:
    """A connection that blocks until it is released or stopped."""

    def __init__(self, error: BaseException) -> None:
        self.started, self.released = threading.Event(), threading.Event()
        self.clocks: list[Clock] = []
        self._error = error

    def connect(self, clock: Clock) -> Any:
        self.clocks.append(clock)
        self.started.set()
        wait_for_event(self.released, "the release of the connection")
        raise self._error

    def block(self, clock: Clock) -> Any:
        self.started.set()
        clock.sleep(HANG_SECONDS)
        raise AssertionError("the operation was not stopped")


def ended(operations: Operations) -> Operation:
    """Wait for the operation to end and return it."""
    for thread in threading.enumerate():
        if thread.name in NAMES:
            wait_for_end(thread)
    latest = operations.latest()
    assert latest
    assert latest.state != "running"
    return latest


def test_one_operation_runs_at_a_time_and_reports_its_failure() -> None:
    held = HeldConnection(SourceError("read table", "lessons", "it does not exist", "Create it."))
    operations = Operations(held.connect)
    assert operations.latest() is None
    assert operations.start("verify")
    wait_for_event(held.started, "the start of the operation")
    assert operations.latest() == Operation("verify")
    assert not operations.start("rebuild")
    held.released.set()
    operation = ended(operations)
    assert (operation.name, operation.state) == ("verify", "failed")
    assert "it does not exist" in operation.message
    assert operations.start("rebuild")
    assert ended(operations).name == "rebuild"


def test_unexpected_error_is_reported_without_its_message() -> None:
    held = HeldConnection(RuntimeError("secret"))
    held.released.set()
    operations = Operations(held.connect)
    operations.start("refill")
    operation = ended(operations)
    assert operation.state == "failed"
    assert "secret" not in operation.message


def test_stop_ends_the_operation_and_rejects_others() -> None:
    held = HeldConnection(AssertionError())
    operations = Operations(held.block)
    assert operations.start("rebuild")
    wait_for_event(held.started, "the start of the operation")
    operations.stop()
    assert ended(operations).message == "Stopped before its end."
    assert not operations.start("verify")


def test_unknown_operation_is_rejected() -> None:
    with pytest.raises(KeyError):
        Operations(HeldConnection(AssertionError()).connect).start("drop")
