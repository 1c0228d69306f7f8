"""The writer against a cluster whose replies are scripted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from dynadex.errors import RequestTooLarge, SearchError, SearchUnavailable
from dynadex.index.bulk import External, Outcome, Write
from dynadex.index.writer import Writer, WriterLimits
from dynadex.retry import Backoff
from dynadex.testing import ManualClock

INDEX = "songs-1"
FOREVER = float("inf")
OK, CONFLICT, BUSY, BROKEN, REJECTED = 201, 409, 429, 500, 400

# Reply to a call: a status for every write, statuses in order, an error, or a function of the ids.
Answer = int | list[int] | SearchError | Callable[[list[str]], Any]


class Cluster:
    """Replies to each call with the next entry of its script, and repeats the last; each call takes ``seconds``."""

    def __init__(self, clock: ManualClock, *script: Answer, seconds: float = 0.0) -> None:
        self._clock = clock
        self._script = list(script)
        self._seconds = seconds
        self.calls: list[list[str]] = []
        self.timeouts: list[float] = []

    def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
        assert index == INDEX
        self._clock.advance(self._seconds)
        ids = [action["_id"] for line in body.splitlines() for action in json.loads(line).values() if "_id" in action]
        self.calls.append(ids)
        self.timeouts.append(timeout_seconds)
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if callable(answer):
            answer = answer(ids)
        if isinstance(answer, SearchError):
            raise answer
        statuses = [answer] * len(ids) if isinstance(answer, int) else answer
        return [{"delete": {"status": status}} for status in statuses]


def deletes(*ids: str) -> list[Write]:
    return [Write(identity, None, External(1)) for identity in ids]


def writer(cluster: Cluster, clock: ManualClock, max_bytes: int = 1_000_000) -> Writer:
    return Writer(cluster, clock, WriterLimits(max_bytes=max_bytes), backoff=Backoff(1.0, 1.0))


def too_large() -> SearchError:
    return RequestTooLarge("write to index", INDEX, "413 the body is too long")


def unavailable() -> SearchError:
    return SearchUnavailable("write to index", INDEX, "connection reset")


def test_no_writes_send_no_request() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, OK)
    assert writer(cluster, clock).write(INDEX, [], FOREVER) == []
    assert cluster.calls == []


def test_replies_are_in_the_order_of_the_writes() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, [OK, CONFLICT, REJECTED])
    replies = writer(cluster, clock).write(INDEX, deletes("a", "b", "c"), FOREVER)
    assert [reply.outcome for reply in replies] == [Outcome.APPLIED, Outcome.CONFLICT, Outcome.REJECTED]


def test_only_retryable_writes_are_sent_again() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, [OK, BUSY, CONFLICT, BROKEN, REJECTED], [BUSY, OK], [OK])
    writing = writer(cluster, clock)
    replies = writing.write(INDEX, deletes("a", "b", "c", "d", "e"), FOREVER)
    assert cluster.calls == [["a", "b", "c", "d", "e"], ["b", "d"], ["b"]]
    assert [reply.outcome.value for reply in replies] == ["applied", "applied", "conflict", "applied", "rejected"]


@pytest.mark.parametrize("trouble", [unavailable(), BUSY, BROKEN, 503], ids=["no answer", "429", "500", "503"])
def test_transient_error_only_costs_time(trouble: Answer) -> None:
    clock = ManualClock()
    began = clock.monotonic()
    cluster = Cluster(clock, trouble, trouble, OK)
    [reply] = writer(cluster, clock).write(INDEX, deletes("a"), FOREVER)
    assert reply.outcome is Outcome.APPLIED
    assert len(cluster.calls) == 3
    assert 1 <= clock.monotonic() - began <= 2


def test_persistent_error_is_returned_before_the_deadline() -> None:
    clock = ManualClock()
    deadline = clock.monotonic() + 10
    cluster = Cluster(clock, unavailable())
    [reply] = writer(cluster, clock).write(INDEX, deletes("a"), deadline)
    assert (reply.outcome, reply.reason) == (Outcome.RETRY, "connection reset")
    assert clock.monotonic() < deadline
    assert len(cluster.calls) >= 9


def test_writes_applied_before_the_deadline_count() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, [OK, BUSY])
    cluster_down = Cluster(clock, [OK, BUSY], BUSY)
    for target in (cluster, cluster_down):
        replies = writer(target, clock).write(INDEX, deletes("a", "b"), clock.monotonic() + 0.1)
        assert [reply.outcome for reply in replies] == [Outcome.APPLIED, Outcome.RETRY]


def test_write_is_tried_once_after_the_deadline() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, OK)
    [reply] = writer(cluster, clock).write(INDEX, deletes("a"), clock.monotonic() - 5)
    assert reply.outcome is Outcome.APPLIED


def test_no_further_request_is_sent_after_the_deadline() -> None:
    """Three requests take 5 s each, and the deadline is in 7.5 s."""
    clock = ManualClock()
    cluster = Cluster(clock, OK, seconds=5)
    size = len(deletes("a")[0].encoded())
    replies = writer(cluster, clock, max_bytes=size).write(INDEX, deletes("a", "b", "c"), clock.monotonic() + 7.5)
    assert cluster.calls == [["a"], ["b"]]
    assert [reply.outcome for reply in replies] == [Outcome.APPLIED, Outcome.APPLIED, Outcome.RETRY]
    assert replies[2].reason == "the deadline passed before the write was sent"


def test_request_timeout_ends_at_the_deadline() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, OK)
    writing = Writer(cluster, clock, WriterLimits(timeout_seconds=30))
    for budget in (100.0, 12.0, 0.2):
        writing.write(INDEX, deletes("a"), clock.monotonic() + budget)
    assert cluster.timeouts == pytest.approx([30, 12, 1])


def test_writes_are_split_by_bytes() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, OK)
    size = len(deletes("a")[0].encoded())
    writer(cluster, clock, max_bytes=2 * size).write(INDEX, deletes("a", "b", "c", "d", "e"), FOREVER)
    assert cluster.calls == [["a", "b"], ["c", "d"], ["e"]]


def test_request_that_is_too_large_is_sent_in_halves() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, lambda ids: too_large() if len(ids) > 2 else OK)
    replies = writer(cluster, clock).write(INDEX, deletes(*"abcdefgh"), FOREVER)
    assert [reply.outcome for reply in replies] == [Outcome.APPLIED] * 8
    assert cluster.calls == [
        list("abcdefgh"),
        list("abcd"),
        ["a", "b"],
        ["c", "d"],
        list("efgh"),
        ["e", "f"],
        ["g", "h"],
    ]


def test_only_the_document_that_is_too_large_is_rejected() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, lambda ids: too_large() if "c" in ids else OK)
    replies = writer(cluster, clock).write(INDEX, deletes(*"abcd"), FOREVER)
    assert [reply.outcome.value for reply in replies] == ["applied", "applied", "rejected", "applied"]
    assert replies[2].reason == "the document is too large for the cluster: 413 the body is too long"


def test_request_that_was_too_large_lowers_the_limit() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, lambda ids: too_large() if len(ids) > 2 else OK)
    writing = writer(cluster, clock)
    writing.write(INDEX, deletes(*"abcd"), FOREVER)
    del cluster.calls[:]
    writing.write(INDEX, deletes(*"efghi"), FOREVER)
    assert cluster.calls == [["e", "f"], ["g", "h"], ["i"]]


def test_single_huge_document_does_not_lower_the_limit() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, too_large(), OK)
    writing = writer(cluster, clock)
    writing.write(INDEX, deletes("huge"), FOREVER)
    writing.write(INDEX, deletes("a", "b"), FOREVER)
    assert cluster.calls == [["huge"], ["a", "b"]]


def test_failed_half_is_retried_alone() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, too_large(), OK, unavailable(), OK)
    replies = writer(cluster, clock).write(INDEX, deletes("a", "b"), FOREVER)
    assert [reply.outcome for reply in replies] == [Outcome.APPLIED] * 2
    assert cluster.calls == [["a", "b"], ["a"], ["b"], ["b"]]


@pytest.mark.parametrize("statuses", [[], [OK], [OK, OK, OK]], ids=["none", "too few", "too many"])
def test_reply_that_does_not_match_its_request_is_retried(statuses: list[int]) -> None:
    clock = ManualClock()
    cluster = Cluster(clock, statuses, OK)
    replies = writer(cluster, clock).write(INDEX, deletes("a", "b"), FOREVER)
    assert [reply.outcome for reply in replies] == [Outcome.APPLIED] * 2
    assert len(cluster.calls) == 2


def test_reply_that_never_matches_its_request_has_a_reason() -> None:
    clock = ManualClock()
    cluster = Cluster(clock, [OK])
    replies = writer(cluster, clock).write(INDEX, deletes("a", "b"), clock.monotonic() + 3)
    assert [reply.outcome for reply in replies] == [Outcome.RETRY] * 2
    assert replies[0].reason == "the number of replies (1) differs from the number of writes (2)"


def test_request_rejected_as_a_whole_raises_immediately() -> None:
    clock = ManualClock()
    rejection = SearchError("write to index", INDEX, "security_exception", "Check the credentials.", status=401)
    cluster = Cluster(clock, rejection)
    with pytest.raises(SearchError) as caught:
        writer(cluster, clock).write(INDEX, deletes("a"), FOREVER)
    assert caught.value is rejection
    assert len(cluster.calls) == 1


def test_missing_index_raises_with_a_hint() -> None:
    class Gone(Cluster):
        def bulk(self, index: str, body: bytes, timeout_seconds: float) -> Sequence[Mapping[str, Any]]:
            super().bulk(index, body, timeout_seconds)
            error = {"type": "index_not_found_exception", "reason": f"no such index [{index}]"}
            return [{"delete": {"status": 200}}, {"delete": {"status": 404, "error": error}}]

    clock = ManualClock()
    with pytest.raises(SearchError, match=r"no such index \[songs-1\].*dynadex refill") as caught:
        writer(Gone(clock, OK), clock).write(INDEX, deletes("a", "b"), FOREVER)
    assert not caught.value.retryable


@pytest.mark.parametrize("trouble", [unavailable(), BUSY, BROKEN], ids=["no answer", "429", "500"])
def test_write_once_does_not_retry(trouble: Any) -> None:
    clock = ManualClock()
    cluster = Cluster(clock, [OK, trouble] if isinstance(trouble, int) else trouble, [OK, OK])
    replies = writer(cluster, clock).write_once(INDEX, deletes("a", "b"), FOREVER)
    assert len(cluster.calls) == 1
    assert replies[1].outcome is Outcome.RETRY


def test_every_request_is_reported_with_its_duration_and_writes_not_accepted() -> None:
    clock, requests = ManualClock(), list[tuple[float, int]]()
    cluster = Cluster(clock, unavailable(), [OK, BUSY], OK, seconds=0.25)
    watched = Writer(cluster, clock, backoff=Backoff(1.0, 1.0), on_bulk=lambda *request: requests.append(request))
    watched.write(INDEX, deletes("a", "b"), FOREVER)
    assert requests == [(0.25, 2), (0.25, 1), (0.25, 0)]
