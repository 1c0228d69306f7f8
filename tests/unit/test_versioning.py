"""The version rule: versions of reads, the meaning of a conflict, and the last change of a key."""

from __future__ import annotations

import pytest

from dynadex.change import Change
from dynadex.document.versioning import MICROSECONDS, Timing, is_superseded, latest, read_version

AWS = Timing()
DYNAMODB_LOCAL = Timing(granularity_us=60 * MICROSECONDS)
NOW_US = 1_700_000_000 * MICROSECONDS


def change(sequence_number: str) -> Change:
    return Change({"id": {"S": "a"}}, None, NOW_US, sequence_number)


@pytest.mark.parametrize(
    ("timing", "margin_seconds", "window_seconds"),
    [
        (AWS, 2, 5),
        (DYNAMODB_LOCAL, 61, 64),
        (Timing(clock_skew_us=0), 1, 5),
        (Timing(clock_skew_us=3 * MICROSECONDS), 4, 5),
    ],
)
def test_margin_covers_rounding_and_clock_skew_and_window_covers_rounding(
    timing: Timing, margin_seconds: int, window_seconds: int
) -> None:
    assert timing.margin_us == margin_seconds * MICROSECONDS
    assert timing.window_us == window_seconds * MICROSECONDS


@pytest.mark.parametrize("timing", [AWS, DYNAMODB_LOCAL], ids=["second", "minute"])
@pytest.mark.parametrize("skew_us", [-MICROSECONDS, 0, MICROSECONDS])
def test_read_has_a_lower_version_than_any_later_change(timing: Timing, skew_us: int) -> None:
    """At any moment within a second (a minute), and with the maximum clock skew."""
    for phase_us in range(0, timing.granularity_us, timing.granularity_us // 100):
        read_at_us = NOW_US + phase_us
        changed_at_us = read_at_us + 1 + skew_us
        recorded_us = changed_at_us // timing.granularity_us * timing.granularity_us
        assert read_version(read_at_us, timing) <= recorded_us


@pytest.mark.parametrize("timing", [AWS, DYNAMODB_LOCAL], ids=["second", "minute"])
def test_read_has_a_higher_version_than_a_change_older_than_the_margin(timing: Timing) -> None:
    assert read_version(NOW_US, timing) > NOW_US - timing.margin_us - 1


@pytest.mark.parametrize(
    ("requested_at_us", "version"), [(0, 1), (1, 1), (2_000_000, 1), (2_000_001, 1), (2_000_002, 2)]
)
def test_version_is_at_least_one(requested_at_us: int, version: int) -> None:
    assert read_version(requested_at_us, AWS) == version


@pytest.mark.parametrize(
    ("ahead_us", "superseded"),
    [(-1, False), (0, False), (1, False), (5_000_000, False), (5_000_001, True), (60_000_000, True)],
)
def test_change_is_superseded_only_beyond_the_window(ahead_us: int, superseded: bool) -> None:
    assert is_superseded(NOW_US, NOW_US + ahead_us, AWS) is superseded


def test_window_grows_with_the_granularity() -> None:
    current = NOW_US + 6 * MICROSECONDS
    assert is_superseded(NOW_US, current, AWS)
    assert not is_superseded(NOW_US, current, DYNAMODB_LOCAL)


@pytest.mark.parametrize(
    ("numbers", "last"),
    [
        (["1"], "1"),
        (["1", "2"], "2"),
        (["2", "1"], "2"),
        (["9", "10"], "10"),
        (["10", "9"], "10"),
        (["99999999999999999999", "100000000000000000000"], "100000000000000000000"),
        (["100000000000000000000", "99999999999999999999"], "100000000000000000000"),
        (["000000000000000000010", "9"], "000000000000000000010"),
        (["1" * 40, "2" * 39], "1" * 40),
    ],
)
def test_last_change_has_the_highest_sequence_number(numbers: list[str], last: str) -> None:
    assert latest(("a", change(number)) for number in numbers)["a"].sequence_number == last


def test_later_delivery_of_the_same_sequence_number_is_the_last_change() -> None:
    first, second = change("7"), change("7")
    assert latest([("a", first), ("a", second)])["a"] is second


def test_each_key_has_its_own_last_change() -> None:
    last = latest([("a", change("1")), ("b", change("3")), ("a", change("2"))])
    assert {identity: change.sequence_number for identity, change in last.items()} == {"a": "2", "b": "3"}
    assert latest([]) == {}
