"""The lease: one worker runs, the others are standbys, and clocks of two machines are never compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dynadex.state.lease import Holder, Lease, holder_of_lease
from dynadex.state.state_table import StateError, StateTable
from dynadex.testing import ManualClock

TERM = 10.0


class InMemoryState(StateTable):
    """State in a dict that evaluates the conditions of a lease."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.before_put: Callable[[], None] = lambda: None
        self.lose_reply = False

    def get(self, name: str) -> dict[str, Any] | None:
        return self.items.get(name)

    def put(
        self, name: str, values: dict[str, Any], condition: str | None = None, parameters: dict[str, Any] | None = None
    ) -> bool:
        self.before_put()
        if condition and not _holds(condition, self.items.get(name), parameters or {}):
            return False
        self.items[name] = values
        if self.lose_reply:
            raise StateError("write", "the state table", "the reply is lost")
        return True


def _holds(condition: str, item: dict[str, Any] | None, parameters: dict[str, Any]) -> bool:
    for part in condition.split(" AND "):
        if part.startswith("attribute_not_exists("):
            if item is not None and part[len("attribute_not_exists(") : -1] in item:
                return False
        else:
            attribute, _, parameter = part.partition(" = ")
            if item is None or item.get(attribute) != parameters[parameter]:
                return False
    return True


class Worker(Lease):
    """A lease with a separate clock."""

    def __init__(self, state: StateTable, owner: str) -> None:
        self.clock = ManualClock(start_us=len(owner) * 1_000_000_000)
        super().__init__(state, owner, self.clock, TERM)


@pytest.fixture
def state() -> InMemoryState:
    return InMemoryState()


@pytest.fixture
def first(state: InMemoryState) -> Worker:
    return Worker(state, "first")


@pytest.fixture
def second(state: InMemoryState) -> Worker:
    return Worker(state, "second")


def pass_time(seconds: float, *workers: Worker) -> None:
    for worker in workers:
        worker.clock.advance(seconds)


def test_first_worker_acquires_the_lease(first: Worker, second: Worker) -> None:
    assert first.holder() == ""
    assert first.acquire()
    assert first.holder() == "first"
    assert not second.acquire()
    assert second.holder() == "first"


def test_holder_that_renews_is_never_replaced(first: Worker, second: Worker) -> None:
    assert first.acquire()
    for _ in range(20):
        assert not second.acquire()
        pass_time(TERM / 3, first, second)
        assert first.renew()
    assert second.holder() == "first"


def test_silent_holder_is_replaced_after_one_term(first: Worker, second: Worker) -> None:
    assert first.acquire()
    assert not second.acquire()
    pass_time(TERM - 0.001, second)
    assert not second.acquire()
    pass_time(0.001, second)
    assert second.acquire()
    assert second.holder() == "second"


def test_term_starts_when_the_heartbeat_was_first_seen(first: Worker, second: Worker) -> None:
    assert first.acquire()
    pass_time(100 * TERM, second)
    assert not second.acquire(), "this heartbeat was only just seen"
    pass_time(TERM / 2, second)
    assert first.renew()
    pass_time(TERM / 2, second)
    assert not second.acquire(), "the heartbeat changed half a term ago, at the latest"
    pass_time(TERM, second)
    assert second.acquire()


def test_replaced_holder_fails_to_renew(first: Worker, second: Worker) -> None:
    first.acquire()
    second.acquire()
    pass_time(TERM, second)
    assert second.acquire()
    assert not first.renew()
    assert second.renew()
    assert second.holder() == "second"


def test_replaced_holder_cannot_release_the_lease_of_another(first: Worker, second: Worker) -> None:
    first.acquire()
    second.acquire()
    pass_time(TERM, second)
    second.acquire()
    first.release()
    assert second.holder() == "second"
    assert second.renew()


def test_released_lease_is_acquired_immediately(first: Worker, second: Worker) -> None:
    first.acquire()
    assert not second.acquire()
    first.release()
    assert second.holder() == ""
    assert second.acquire()
    assert second.renew()
    assert not first.renew()


def test_lost_lease_can_be_acquired_again(first: Worker, second: Worker) -> None:
    first.acquire()
    second.acquire()
    pass_time(TERM, second)
    second.acquire()
    assert not first.acquire()
    pass_time(TERM, first)
    assert first.acquire()
    assert first.renew()
    assert not second.renew()


def test_holder_of_lease_returns_the_owner_and_its_last_renewal(state: InMemoryState, first: Worker) -> None:
    assert holder_of_lease(state) is None
    first.acquire()
    first.clock.advance(5.0)
    first.renew()
    assert holder_of_lease(state) == Holder("first", datetime.fromtimestamp(first.clock.now_us() / 1e6, UTC))
    del state.items["lease"]["renewed_at"]
    assert holder_of_lease(state) == Holder("first", None)
    first.release()
    assert holder_of_lease(state) is None


@pytest.mark.parametrize("taken_over", [False, True], ids=["no lease yet", "a silent holder"])
def test_one_of_two_concurrent_workers_acquires_the_lease(
    state: InMemoryState, first: Worker, second: Worker, taken_over: bool
) -> None:
    if taken_over:
        Worker(state, "silent").acquire()
        for worker in (first, second):
            assert not worker.acquire()
        pass_time(TERM, first, second)
    acquired: list[bool] = []

    def acquire_second_first() -> None:
        state.before_put = lambda: None
        acquired.append(second.acquire())

    state.before_put = acquire_second_first
    acquired.append(first.acquire())
    assert acquired == [True, False]
    assert first.holder() == "second"
    assert second.renew()


def test_deleted_lease_is_lost(state: InMemoryState, first: Worker, second: Worker) -> None:
    first.acquire()
    state.items.clear()
    assert not first.renew()
    assert second.acquire()
    first.release()
    assert second.holder() == "second"


@pytest.mark.parametrize("step", ["acquire", "renew"])
def test_heartbeat_whose_reply_was_lost_still_counts(state: InMemoryState, first: Worker, step: str) -> None:
    """The SDK has stopped its retries, and the caller tries again later."""
    if step == "renew":
        first.acquire()
    state.lose_reply = True
    with pytest.raises(StateError):
        getattr(first, step)()
    state.lose_reply = False
    pass_time(3, first)
    assert getattr(first, step)()
    assert first.renew()
