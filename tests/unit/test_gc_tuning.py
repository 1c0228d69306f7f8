"""How often Python looks for garbage, during work and after it."""

from __future__ import annotations

import gc

import pytest

from dynadex.gc_tuning import infrequent_gc


def test_the_process_is_left_as_it_was_whoever_comes_and_goes_last() -> None:
    before = gc.get_threshold()
    first, second = infrequent_gc(), infrequent_gc()
    with first:
        during = gc.get_threshold()
        assert during[0] > before[0]
        second.__enter__()
    assert gc.get_threshold() == during
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_the_process_is_left_as_it_was_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="broken"), infrequent_gc():
        raise ValueError("broken")
    assert gc.get_threshold() == before
