"""How often Python looks for garbage, during work and after it."""

from __future__ import annotations

import gc

import pytest

from dynadex.run.garbage import rarely_collected


def test_the_process_is_left_as_it_was_whoever_comes_and_goes_last() -> None:
    before = gc.get_threshold()
    first, second = rarely_collected(), rarely_collected()
    with first:
        during = gc.get_threshold()
        assert during[0] > before[0]
        second.__enter__()
    assert gc.get_threshold() == during
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_the_process_is_left_as_it_was_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="broken"), rarely_collected():
        raise ValueError("broken")
    assert gc.get_threshold() == before
