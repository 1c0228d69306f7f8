"""The acknowledged position of a shard, which never passes a record in flight."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynadex.state.ack_tracker import AckTracker, lowest


def state(progress: AckTracker) -> tuple[str | None, int]:
    return progress.position, progress.in_flight


def test_position_without_tracked_records_is_unchanged() -> None:
    assert AckTracker().position is None
    assert AckTracker("7").position == "7"


def test_position_follows_acknowledgements_in_order() -> None:
    progress = AckTracker("0")
    progress.track(["1", "2", "3"])
    assert state(progress) == ("0", 3)
    progress.acknowledge(["1"])
    assert state(progress) == ("1", 2)
    progress.acknowledge(["2", "3"])
    assert state(progress) == ("3", 0)


def test_position_waits_for_the_oldest_record_in_flight() -> None:
    progress = AckTracker()
    progress.track(["1", "2", "3", "4"])
    progress.acknowledge(["2", "4"])
    assert state(progress) == (None, 4)
    progress.acknowledge(["1"])
    assert state(progress) == ("2", 2)
    progress.acknowledge(["3"])
    assert state(progress) == ("4", 0)


def test_later_records_queue_behind_records_in_flight() -> None:
    progress = AckTracker()
    progress.track(["1", "2"])
    progress.acknowledge(["1"])
    progress.track(["3"])
    progress.acknowledge(["3"])
    assert progress.position == "1"
    progress.acknowledge(["2"])
    assert progress.position == "3"


def test_positions_are_ordered_by_place_and_not_by_text() -> None:
    progress = AckTracker()
    progress.track(["9", "10"])
    progress.acknowledge(["9"])
    progress.acknowledge(["10"])
    assert progress.position == "10"


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 30), st.randoms(use_true_random=False))
def test_position_is_the_last_before_the_first_gap_in_any_order(count: int, chance: random.Random) -> None:
    numbers = [str(number) for number in range(1, count + 1)]
    progress = AckTracker()
    progress.track(numbers)
    done: set[str] = set()
    for number in chance.sample(numbers, count):
        progress.acknowledge([number])
        done.add(number)
        gap = next((i for i, number in enumerate(numbers) if number not in done), count)
        assert progress.position == (numbers[gap - 1] if gap else None)
        assert progress.in_flight == count - gap
    assert progress.position == numbers[-1]


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ([], None),
        (["5"], "5"),
        (["10", "9"], "9"),
        (["100000000000000000000", "99999999999999999999"], "99999999999999999999"),
        (["2" * 21, "1" * 40], "2" * 21),
    ],
    ids=str,
)
def test_batch_is_retried_from_the_lowest_failed_sequence_number(failed: list[str], expected: str | None) -> None:
    assert lowest(failed) == expected
    assert lowest(reversed(failed)) == expected
