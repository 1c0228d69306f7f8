"""Contract of the state table: items, checkpoints and the lease on a DynamoDB API."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynadex import clients
from dynadex.local.stack import Endpoints
from dynadex.settings import RuntimeSettings
from dynadex.state.checkpoints import Checkpoint, Checkpoints
from dynadex.state.lease import Lease
from dynadex.state.state_table import StateError, StateTable
from dynadex.testing import ManualClock

TERM = 10.0


@pytest.fixture(scope="module")
def client(local_stack: Endpoints) -> Iterator[Any]:
    client = clients.dynamodb(RuntimeSettings(dynamodb_url=local_stack.dynamodb))
    yield client
    client.close()


@pytest.fixture(scope="module")
def table_name(client: Any) -> str:
    name = f"contract-{uuid.uuid4().hex[:12]}-dynadex"
    StateTable(client, name, "any").ensure()
    return name


@pytest.fixture
def state(client: Any, table_name: str) -> StateTable:
    """State of one sync, in a table that the tests share."""
    return StateTable(client, table_name, f"index-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def checkpoints(state: StateTable) -> Checkpoints:
    return Checkpoints(state, ManualClock())


class SlowDynamoDB:
    """An API that creates tables slowly, as AWS does and an emulator does not."""

    def __init__(self, status: str | None) -> None:
        self._status = status
        self.calls: list[str] = []

    def describe_table(self, **request: Any) -> Any:  # noqa: ARG002
        self.calls.append("describe")
        if self._status is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "DescribeTable")
        return {"Table": {"TableStatus": self._status}}

    def create_table(self, **request: Any) -> None:  # noqa: ARG002
        self.calls.append("create")

    def get_waiter(self, name: str) -> SlowDynamoDB:
        assert name == "table_exists"
        return self

    def wait(self, **request: Any) -> None:  # noqa: ARG002
        self.calls.append("wait")


class TestStateTable:
    def test_table_is_created_once(self, client: Any, state: StateTable) -> None:
        state.put("a", {"v": {"S": "x"}})
        assert state.exists()
        state.ensure()
        assert state.get("a") is not None
        described = client.describe_table(TableName=state.name)["Table"]
        assert {element["AttributeName"]: element["KeyType"] for element in described["KeySchema"]} == {
            "sync": "HASH",
            "what": "RANGE",
        }
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"

    def test_several_workers_may_create_the_table_at_the_same_time(self, client: Any) -> None:
        name = f"contract-{uuid.uuid4().hex[:12]}-dynadex"
        start, errors = threading.Barrier(4), []

        def ensure() -> None:
            start.wait()
            try:
                StateTable(client, name, "songs").ensure()
            except StateError as error:
                errors.append(error)

        threads = [threading.Thread(target=ensure) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert StateTable(client, name, "songs").get("a") is None

    @pytest.mark.parametrize(
        ("status", "calls"),
        [
            ("ACTIVE", ["describe"]),
            ("UPDATING", ["describe"]),
            ("CREATING", ["describe", "wait"]),
            (None, ["describe", "create", "wait"]),
        ],
    )
    def test_table_that_another_worker_creates_is_waited_for(self, status: str | None, calls: list[str]) -> None:
        slow: Any = SlowDynamoDB(status)
        StateTable(slow, "songs-dynadex", "songs").ensure()
        assert slow.calls == calls

    def test_item_is_stored_until_it_is_deleted(self, state: StateTable) -> None:
        assert state.get("a") is None
        assert state.put("a", {"v": {"S": "1"}, "old": {"BOOL": True}})
        assert state.put("a", {"v": {"S": "2"}})
        item = state.get("a")
        assert item is not None
        assert {name: value for name, value in item.items() if name not in ("sync", "what")} == {"v": {"S": "2"}}
        state.delete("a")
        state.delete("a")
        assert state.get("a") is None

    def test_failed_condition_writes_nothing(self, state: StateTable) -> None:
        absent = "attribute_not_exists(v)"
        assert state.put("a", {"v": {"N": "1"}}, absent)
        assert not state.put("a", {"v": {"N": "2"}}, absent)
        assert not state.put("a", {"v": {"N": "2"}}, "v = :v", {":v": {"N": "3"}})
        assert (state.get("a") or {})["v"] == {"N": "1"}
        assert state.put("a", {"v": {"N": "2"}}, "v = :v", {":v": {"N": "1"}})
        assert (state.get("a") or {})["v"] == {"N": "2"}

    def test_failed_condition_deletes_nothing(self, state: StateTable) -> None:
        state.put("a", {"v": {"N": "1"}})
        assert not state.delete("a", "v = :v", {":v": {"N": "2"}})
        assert not state.delete("never", "v = :v", {":v": {"N": "2"}})
        assert state.get("a") is not None
        assert state.delete("a", "v = :v", {":v": {"N": "1"}})
        assert state.get("a") is None

    def test_items_are_found_by_prefix(self, state: StateTable) -> None:
        for name in ("checkpoint/a", "checkpoint/b", "checkpoint", "checkpoints/a", "lease"):
            state.put(name, {"v": {"S": name}})
        items = state.all("checkpoint/")
        assert {name: item["v"]["S"] for name, item in items.items()} == {
            "checkpoint/a": "checkpoint/a", "checkpoint/b": "checkpoint/b",
        }  # fmt: skip
        assert state.all("nothing/") == {}

    def test_items_beyond_one_page_are_found(self, state: StateTable) -> None:
        """A page ends after one megabyte."""
        for position in range(5):
            state.put(f"large/{position}", {"v": {"S": "x" * 300_000}})
        assert sorted(state.all("large/")) == [f"large/{position}" for position in range(5)]

    def test_each_sync_has_its_own_state(self, client: Any, state: StateTable) -> None:
        other = StateTable(client, state.name, "another-index")
        state.put("checkpoint/a", {"v": {"S": "mine"}})
        assert other.get("checkpoint/a") is None
        assert other.all("checkpoint/") == {}
        other.put("checkpoint/a", {"v": {"S": "theirs"}})
        other.delete("checkpoint/a")
        assert state.get("checkpoint/a") is not None

    def test_missing_table_raises_with_its_name(self, client: Any) -> None:
        missing = StateTable(client, "contract-none-dynadex", "songs")
        assert not missing.exists()
        for call in (
            lambda: missing.get("a"),
            lambda: missing.put("a", {}),
            lambda: missing.delete("a"),
            lambda: missing.all("a"),
        ):
            with pytest.raises(StateError, match=r"the state table contract-none-dynadex: .*DYNADEX_STATE_TABLE"):
                call()


class TestCheckpoints:
    def test_checkpoint_is_loaded_as_saved(self, checkpoints: Checkpoints) -> None:
        saved = {
            "shardId-00000000000000000001-aaaaaaaa": Checkpoint("111" * 13, finished=False),
            "shardId-00000000000000000002-bbbbbbbb": Checkpoint(None),
            "shardId-00000000000000000003-cccccccc": Checkpoint("7", finished=True),
            "shardId-00000000000000000004-dddddddd": Checkpoint(None, finished=True),
            "shardId-00000000000000000005-eeeeeeee": Checkpoint("8", passed_us=1_800_000_000_123_456),
        }
        assert checkpoints.load() == {}
        for shard_id, checkpoint in saved.items():
            checkpoints.save(shard_id, checkpoint)
        assert checkpoints.load() == saved
        assert {checkpoint.saved_at for checkpoint in checkpoints.load().values()} == {"2023-11-14T22:13:20.000+00:00"}

    def test_last_saved_checkpoint_counts(self, checkpoints: Checkpoints) -> None:
        for checkpoint in (Checkpoint(None), Checkpoint("1"), Checkpoint("2"), Checkpoint("2", finished=True)):
            checkpoints.save("shard", checkpoint)
            assert checkpoints.load() == {"shard": checkpoint}

    def test_checkpoint_can_be_deleted(self, checkpoints: Checkpoints) -> None:
        checkpoints.save("a", Checkpoint("1", finished=True))
        checkpoints.save("b", Checkpoint("2"))
        checkpoints.delete("a")
        checkpoints.delete("never")
        assert checkpoints.load() == {"b": Checkpoint("2")}

    def test_stream_is_known_once_followed(self, checkpoints: Checkpoints) -> None:
        assert checkpoints.stream() is None
        checkpoints.follow("arn:1")
        checkpoints.follow("arn:2")
        assert checkpoints.stream() == "arn:2"
        assert checkpoints.load() == {}

    @pytest.mark.parametrize(
        ("saved", "passed_us"),
        [
            ([], None),
            ([Checkpoint("1", passed_us=5), Checkpoint("1", passed_us=3), Checkpoint(None, passed_us=4)], 3),
            ([Checkpoint("1", passed_us=5), Checkpoint("1")], None),
            ([Checkpoint("1", finished=True), Checkpoint("1", passed_us=5)], 5),
            ([Checkpoint("1", finished=True, passed_us=3), Checkpoint("1", passed_us=5)], 3),
            ([Checkpoint("1", finished=True, passed_us=3)], None),
        ],
        ids=[
            "no worker ran", "slowest shard", "unknown shard",
            "finished shard", "finished shard without children", "only finished shards",
        ],
    )  # fmt: skip
    def test_stream_is_passed_as_far_as_its_slowest_shard(
        self, checkpoints: Checkpoints, saved: list[Checkpoint], passed_us: int | None
    ) -> None:
        for number, checkpoint in enumerate(saved):
            checkpoints.save(f"shard-{number}", checkpoint)
        assert checkpoints.passed_us() == passed_us

    def test_checkpoint_of_an_older_version_has_no_passed_time(
        self, state: StateTable, checkpoints: Checkpoints
    ) -> None:
        state.put("checkpoint/a", {"position": {"S": "1"}, "finished": {"BOOL": False}})
        assert checkpoints.load() == {"a": Checkpoint("1")}
        assert checkpoints.passed_us() is None


class TestStaleness:
    @pytest.fixture
    def read(self, checkpoints: Checkpoints) -> Checkpoints:
        """Checkpoints of a stream that was read."""
        checkpoints.save("a", Checkpoint("1"))
        checkpoints.follow("arn:1")
        return checkpoints

    def test_refill_recovers_a_stale_index(self, read: Checkpoints) -> None:
        read.mark_stale("lost")
        assert (read.stale(), read.unrecovered(), read.recovering_since_us()) == ("lost", "lost", None)
        read.begin_recovery(17)
        assert (read.stale(), read.unrecovered(), read.recovering_since_us()) == ("lost", None, 17)
        assert (read.stream(), read.load()) == (None, {})
        assert read.end_recovery(17)
        assert (read.stale(), read.unrecovered(), read.recovering_since_us()) == (None, None, None)
        assert not read.end_recovery(17)

    def test_index_that_is_not_stale_needs_no_recovery(self, read: Checkpoints) -> None:
        read.begin_recovery(17)
        assert (read.stale(), read.recovering_since_us()) == (None, None)
        assert (read.stream(), read.load()) == ("arn:1", {"a": Checkpoint("1")})
        assert not read.end_recovery(17)

    def test_changes_lost_after_the_recovery_began_keep_the_index_stale(self, read: Checkpoints) -> None:
        read.mark_stale("lost")
        read.begin_recovery(17)
        read.mark_stale("lost again")
        assert (read.unrecovered(), read.recovering_since_us()) == ("lost again", None)
        assert not read.end_recovery(17)
        assert read.stale() == "lost again"

    def test_later_of_two_refills_recovers_and_no_worker_loses_its_position(self, read: Checkpoints) -> None:
        read.mark_stale("lost")
        read.begin_recovery(17)
        read.save("a", Checkpoint("2"))
        read.follow("arn:1")
        read.begin_recovery(18)
        read.begin_recovery(18)
        assert (read.stream(), read.load()) == ("arn:1", {"a": Checkpoint("2")})
        assert not read.end_recovery(17)
        assert read.stale() == "lost"
        assert read.end_recovery(18)
        assert read.stale() is None

    def test_one_of_many_concurrent_refills_recovers_the_index(self, state: StateTable) -> None:
        Checkpoints(state, ManualClock()).mark_stale("lost")
        start = threading.Barrier(4)

        def begin(started_us: int) -> None:
            start.wait()
            Checkpoints(state, ManualClock()).begin_recovery(started_us)

        threads = [threading.Thread(target=begin, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        checkpoints = Checkpoints(state, ManualClock())
        began_us = checkpoints.recovering_since_us()
        ended = [number for number in range(1, 5) if checkpoints.end_recovery(number)]
        assert ended == [began_us]

    @pytest.mark.parametrize("moment", ["deleting the position", "recording the recovery"])
    def test_index_marked_stale_while_a_recovery_begins_is_recovered(
        self, read: Checkpoints, state: StateTable, monkeypatch: pytest.MonkeyPatch, moment: str
    ) -> None:
        """The refill has read nothing yet, so it loads what was lost until now."""
        name = {"deleting the position": "delete", "recording the recovery": "put"}[moment]
        call = getattr(state, name)

        def interrupted(*arguments: Any) -> Any:
            monkeypatch.setattr(state, name, call)
            read.mark_stale("lost again")
            return call(*arguments)

        read.mark_stale("lost")
        monkeypatch.setattr(state, name, interrupted)
        read.begin_recovery(17)
        assert (read.stale(), read.recovering_since_us()) == ("lost again", 17)


class TestLease:
    def test_lease_passes_from_one_worker_to_the_next(self, state: StateTable) -> None:
        clock = ManualClock()
        first, second = (Lease(state, owner, clock, TERM) for owner in ("first", "second"))
        assert first.holder() == ""
        assert first.acquire()
        assert first.renew()
        assert not second.acquire()
        assert second.holder() == "first"
        first.release()
        assert second.holder() == ""
        assert second.acquire()
        assert not first.renew()
        assert second.renew()

    def test_silent_holder_is_replaced_and_fails_to_renew(self, state: StateTable) -> None:
        clock = ManualClock()
        first, second = (Lease(state, owner, clock, TERM) for owner in ("first", "second"))
        assert first.acquire()
        assert not second.acquire()
        clock.advance(TERM)
        assert second.acquire()
        assert not first.renew()
        first.release()
        assert second.renew()

    @pytest.mark.parametrize("before", ["no holder", "a holder that released it", "a silent holder"])
    def test_one_of_many_concurrent_workers_acquires_the_lease(self, state: StateTable, before: str) -> None:
        clock = ManualClock()
        workers = [Lease(state, f"worker-{number}", clock, TERM) for number in range(6)]
        if before != "no holder":
            holder = Lease(state, "holder", clock, TERM)
            assert holder.acquire()
            assert [worker.acquire() for worker in workers] == [False] * 6
            if before == "a holder that released it":
                holder.release()
            else:
                clock.advance(TERM)
        start, got = threading.Barrier(len(workers)), []

        def acquire(worker: Lease) -> None:
            start.wait()
            if worker.acquire():
                got.append(worker.owner)

        threads = [threading.Thread(target=acquire, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        assert workers[0].holder() == got[0]
