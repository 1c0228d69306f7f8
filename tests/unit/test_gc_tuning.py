"""infrequent_gc changes the thresholds of the garbage collector and restores them."""

from __future__ import annotations

import gc

import pytest

from dynadex.gc_tuning import infrequent_gc


def test_last_block_to_end_restores_the_thresholds() -> None:
    before = gc.get_threshold()
    first, second = infrequent_gc(), infrequent_gc()
    with first:
        during = gc.get_threshold()
        assert during[0] > before[0]
        second.__enter__()
    assert gc.get_threshold() == during
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_error_restores_the_thresholds() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="broken"), infrequent_gc():
        raise ValueError("broken")
    assert gc.get_threshold() == before
