"""`dynadex status`: what needs attention, and the table that it prints."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dynadex.aws.cloudwatch import FunctionStatus
from dynadex.cli.status import table
from dynadex.maintenance.status import (
    DeadLetterStatus,
    IndexStatus,
    ShardStatus,
    StaleStatus,
    Status,
    WorkerStatus,
    attention,
)

NOW = "2026-11-24T10:00:00.000+00:00"
SEARCHED = IndexStatus("lessons-20261124054500", 13_925, 4_123_456, searched=True, written=True, building=False)
KEPT = IndexStatus("lessons-20261123054500", 9_911, None, searched=False, written=True, building=False)
WORKER = WorkerStatus("host:17:ab", "2026-11-24T09:59:59.600+00:00", 0.4)
SHARD = ShardStatus(
    "shardId-00000001700000000000-abcdef12", "1" * 21, "2026-11-24T09:59:58.000+00:00", "2026-11-24T09:59:56.000+00:00"
)
HEALTHY = Status(
    table="songs",
    items=13_925,
    index="lessons",
    indexes=(SEARCHED, KEPT),
    checked_at=NOW,
    passed_at=SHARD.passed_at,
    lag_seconds=4.0,
    open_shards=(SHARD,),
    finished_shards=3,
    worker=WORKER,
    dead_letters=DeadLetterStatus("file:dead-letters.jsonl", 0, estimated=False),
    last={"refill": None, "rebuild": None, "verify": None},
    stale=None,
)
EMPTY = replace(
    HEALTHY, indexes=(), passed_at=None, lag_seconds=None, open_shards=(), finished_shards=0, worker=None, items=0
)  # fmt: skip


def printed(state: Status, *marked: str) -> str:
    return "\n".join(table(state, marked, "lessons:sync"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ()),
        ({"indexes": ()}, ("index",)),
        ({"indexes": (KEPT,)}, ("index",)),
        ({"indexes": (replace(SEARCHED, written=False), KEPT)}, ("index",)),
        ({"worker": None}, ()),
        ({"worker": replace(WORKER, silent_seconds=59.0)}, ()),
        ({"worker": replace(WORKER, silent_seconds=61.0)}, ("worker",)),
        ({"worker": replace(WORKER, silent_seconds=None)}, ()),
        ({"dead_letters": DeadLetterStatus("https://queue", 1, estimated=True)}, ("dead letters",)),
        ({"stale": StaleStatus("lost", None)}, ("stale",)),
        ({"stale": StaleStatus("lost", NOW)}, ("stale",)),
        ({"lag_seconds": None}, ()),
        ({"lag_seconds": 1e6}, ()),
        ({"indexes": (), "stale": StaleStatus("lost", None)}, ("index", "stale")),
    ],
)
def test_problem_needs_attention(change: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert attention(replace(HEALTHY, **change)) == expected


@pytest.mark.parametrize(("lag", "marked"), [(4.0, False), (5.0, False), (5.1, True), (None, True)])
def test_lag_needs_attention_above_the_limit_or_if_it_is_unknown(lag: float | None, marked: bool) -> None:
    assert attention(replace(HEALTHY, lag_seconds=lag), 5.0) == (("lag",) if marked else ())


@pytest.mark.parametrize(("lag", "marked"), [(5.0, False), (5.1, True), (None, True)])
def test_lag_of_functions_is_used_if_no_worker_has_reported(lag: float | None, marked: bool) -> None:
    state = replace(HEALTHY, lag_seconds=None, function=FunctionStatus(1, 0, 0, lag))
    assert attention(state, 5.0) == (("lag",) if marked else ())
    assert attention(replace(state, lag_seconds=1.0), 5.0) == ()


@pytest.mark.parametrize(
    ("function", "lag", "row"),
    [
        (
            FunctionStatus(12_345, 0, 2, 1.2),
            "at most 1.2 s in the last hour",
            "last hour: 12,345 changes applied, lag at most 1.2 s, 0 dead-lettered, 2 failed",
        ),
        (
            FunctionStatus(0, 3, 0, None),
            "unknown: no worker has reported",
            "last hour: 0 changes applied, 3 dead-lettered, 0 failed",
        ),
        (
            FunctionStatus(),
            "unknown: no worker has reported",
            "last hour: no function of this Sync has reported",
        ),
        (
            FunctionStatus(unknown="CloudWatch is unavailable"),
            "unknown: no worker has reported",
            "unknown: CloudWatch is unavailable",
        ),
    ],
)
def test_functions_have_their_own_row(function: FunctionStatus, lag: str, row: str) -> None:
    lines = printed(replace(EMPTY, function=function)).splitlines()
    assert f"  lag           {lag}" in lines
    assert f"  function      {row}" in lines


def test_table_of_a_healthy_sync() -> None:
    assert printed(HEALTHY).splitlines() == [
        "  table         songs: 13,925 items (DynamoDB's estimate, up to 6 hours old)",
        "  index         lessons-20261124054500  13,925 documents, 4.1 MB; searched, written",
        "                lessons-20261123054500   9,911 documents; kept for rollback, written",
        "  lag           at most 4.0 s",
        "  shards        1 open, 3 finished",
        f"                …abcdef12: applied up to 4.0 s ago, saved 2.0 s ago, position …{'1' * 8}",
        "  worker        host:17:ab, last heartbeat 0.4 s ago",
        "  dead letters  none in file:dead-letters.jsonl",
        "  last refill   never",
        "  last verify   never",
    ]


def test_table_of_a_sync_that_never_ran() -> None:
    assert printed(EMPTY, "index").splitlines() == [
        "  table         songs: 0 items (DynamoDB's estimate, up to 6 hours old)",
        "! index         none: `dynadex refill lessons:sync` creates it",
        "  lag           unknown: no worker has reported",
        "  shards        0 open, 0 finished",
        "  worker        no worker holds the lease",
        "  dead letters  none in file:dead-letters.jsonl",
        "  last refill   never",
        "  last verify   never",
    ]


def test_silent_worker_is_distinguished_from_a_stopped_one() -> None:
    silent = replace(HEALTHY, worker=replace(WORKER, silent_seconds=7300.0))
    assert "! worker        host:17:ab, last heartbeat 2 h ago: it has probably ended, start another worker" in printed(
        silent, "worker"
    )
    assert "  worker        host:17:ab\n" in printed(replace(HEALTHY, worker=replace(WORKER, silent_seconds=None)))


def test_dead_letters_are_printed_with_a_reason_and_the_next_step() -> None:
    reason = "rejected\n" + "x" * 500
    dead_lettered = DeadLetterStatus("file:letters", 2, False, "rakes", "2026-11-24T08:00:00+00:00", reason)
    [first, second] = [
        line
        for line in printed(replace(HEALTHY, dead_letters=dead_lettered), "dead letters").splitlines()
        if "letters" in line or "rakes" in line
    ]
    assert first == "! dead letters  2 dead letters in file:letters: `dynadex redrive lessons:sync` retries them"
    assert second.startswith(f"{' ' * 16}oldest 2026-11-24 08:00:00 UTC (2 h ago): rakes: rejected xxx")
    assert second.endswith("x…")
    assert len(second) < 240
    queue = replace(HEALTHY, dead_letters=DeadLetterStatus("https://queue", 1, estimated=True))
    assert "  dead letters  about 1 dead letter in https://queue: " in printed(queue)


def test_text_that_is_not_a_time_is_printed_unchanged() -> None:
    dead_lettered = DeadLetterStatus("file:letters", 1, False, "rakes", "yesterday", "rejected")
    assert "oldest yesterday: rakes: rejected" in printed(replace(HEALTHY, dead_letters=dead_lettered))


def test_last_runs_are_printed_with_their_counts() -> None:
    last = {
        "refill": {"finished_at": "2026-11-24T09:58:30+00:00", "items": 13_925, "written": 13_920, "dead_lettered": 0},
        "rebuild": {"finished_at": "2026-11-24T09:58:30+00:00", "items": 0, "indexes": ["a"], "equal": True},
        "verify": {
            "finished_at": "2026-11-22T10:00:00+00:00", "found": {"missing": 2, "orphan": 0}, "remaining": 0,
            "not_indexed": 3, "sample": None,
        },
    }  # fmt: skip
    lines = printed(replace(HEALTHY, last=last)).splitlines()[-3:]
    assert lines == [
        "  last refill   2026-11-24 09:58:30 UTC (90.0 s ago): 13,925 items, 13,920 written",
        "  last rebuild  2026-11-24 09:58:30 UTC (90.0 s ago): 0 items",
        "  last verify   2026-11-22 10:00:00 UTC (2 days ago): 2 missing, 0 remaining, 3 not indexed",
    ]
    assert printed(replace(HEALTHY, last={"refill": {}})).endswith("last refill   at an unknown time")


def test_stale_index_is_printed_with_the_next_step() -> None:
    stale = replace(HEALTHY, stale=StaleStatus("shard a was trimmed", None))
    assert printed(stale, "stale").splitlines()[-2:] == [
        "! stale         shard a was trimmed",
        "                changes were lost: `dynadex refill lessons:sync` brings the index up to date",
    ]
    recovering = replace(HEALTHY, stale=StaleStatus("shard a was trimmed", "2026-11-24T09:50:00.000+00:00"))
    assert printed(recovering, "stale").splitlines()[-2:] == [
        "                the backfill that started 10 min ago restores it",
        "                if that backfill was interrupted: `dynadex refill lessons:sync --resume`",
    ]


def test_shards_with_the_largest_lag_are_printed() -> None:
    shards = tuple(replace(SHARD, id=f"shard-{number}", position=None, passed_at=None) for number in range(30))
    lines = printed(replace(HEALTHY, open_shards=shards)).splitlines()
    assert "  shards        30 open, 3 finished" in lines
    assert f"{' ' * 16}shard-7: applied up to an unknown time, saved 2.0 s ago, nothing read yet" in lines
    assert f"{' ' * 16}and 22 more, none further behind (--json lists them)" in lines
    assert not any("shard-8" in line for line in lines)


def test_status_is_json() -> None:
    state = json.loads(json.dumps(HEALTHY.as_json()))
    assert state["indexes"][0]["documents"] == 13_925
    assert state["open_shards"][0]["position"] == "1" * 21
    assert state["worker"] == {"owner": "host:17:ab", "renewed_at": WORKER.renewed_at, "silent_seconds": 0.4}
