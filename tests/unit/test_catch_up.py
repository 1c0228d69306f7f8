"""Catching up with a stream: parents first, no shard left before its end, nothing lost to a trim in between."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dynadex.run.catch_up import Listed, _read, in_order
from dynadex.run.patience import Patience
from dynadex.run.wiring import Runtime
from dynadex.source.shard_reader import Read, ShardReader, StreamTrimmedError
from dynadex.source.shards import Shard
from dynadex.testing import ManualClock

TRIMMED = StreamTrimmedError("go on reading", "shard", "trimmed")


def test_parents_come_before_their_children_in_whatever_order_they_are_listed() -> None:
    shards = [Shard("c", "b"), Shard("b", "a"), Shard("x", "gone"), Shard("d", "b"), Shard("a", None)]
    assert in_order(shards) == [
        Listed("x", closed=False),
        Listed("a", closed=True),
        Listed("b", closed=True),
        Listed("c", closed=False),
        Listed("d", closed=False),
    ]


def record(number: int, seconds: int = 0) -> dict[str, Any]:
    return {"dynamodb": {"SequenceNumber": str(number), "ApproximateCreationDateTime": seconds}}


class Script:
    """Readers, each of which answers what it is told to, one after the other."""

    def __init__(self, *readers: Sequence[Any]) -> None:
        self._readers = iter(readers)

    def __call__(self) -> ShardReader:
        answers = iter(next(self._readers))

        def read(_: int) -> Read:
            answer = next(answers, Read((), False))
            if isinstance(answer, Exception):
                raise answer
            return cast(Read, answer)

        return cast(ShardReader, SimpleNamespace(read=read))


def read(script: Script, *, closed: bool) -> list[str]:
    clock = ManualClock(1_000_000_000)
    runtime = cast(Runtime, SimpleNamespace(clock=clock))
    pages = _read(runtime, Patience(lambda _: None, clock), script, Listed("shard", closed))
    return [one["dynamodb"]["SequenceNumber"] for page in pages for one in page]


NOTHING = Read((), False)


def test_a_closed_shard_is_read_to_its_end_however_often_it_answers_with_nothing() -> None:
    script = Script([Read([record(1)], False), *[NOTHING] * 50, Read([record(2)], True)])
    assert read(script, closed=True) == ["1", "2"]


def test_an_open_shard_is_read_until_it_has_had_nothing_for_a_while_or_is_past_now() -> None:
    assert read(Script([Read([record(1)], False), *[NOTHING] * 5, Read([record(2)], False)]), closed=False) == [
        "1",
        "2",
    ]
    assert read(Script([Read([record(1, 1001)], False), Read([record(2)], False)]), closed=False) == ["1"]


def test_what_follows_a_trim_is_not_lost() -> None:
    script = Script([Read([record(1)], False), TRIMMED], [Read([record(2)], False), Read([record(3)], True)])
    assert read(script, closed=True) == ["1", "2", "3"]


@pytest.mark.parametrize("closed", [False, True])
def test_a_shard_of_which_nothing_is_left_is_passed_over(closed: bool) -> None:
    assert read(Script([TRIMMED]), closed=closed) == []
