"""The worker: follows a table's stream without Lambda, with the semantics of Lambda's event source mapping."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dynadex.clock import Clock, Stopping
from dynadex.errors import DynadexError
from dynadex.retry import Retrier
from dynadex.source.shard_reader import StreamTrimmedError, list_shards
from dynadex.source.shards import STREAM_RETENTION_US, plan_reads
from dynadex.state.checkpoints import Checkpoint
from dynadex.state.lease import Lease
from dynadex.state.state_table import StateError
from dynadex.worker.shard_follower import Delivery, FollowedStream, Pace, ShardFollower
from dynadex.worker.shard_progress import first_checkpoint, may_lack_its_beginning, succeeded

_log = logging.getLogger(__name__)

_DISCOVER_SECONDS = 5.0
_STAND_BY_SECONDS = 1.0
# Docker kills ten seconds after it asked.
_STOP_SECONDS = 5.0
_RELEASE_SECONDS = 1.0


class Worker:
    """Reads every shard in its own thread, parents before children, and checkpoints what is acknowledged.

    Two more keep the lease and look for new shards.
    """

    def __init__(
        self,
        stream: FollowedStream,
        lease: Lease,
        delivery: Delivery,
        stop: threading.Event,
        clock: Clock,
        pace: Pace | None = None,
    ) -> None:
        self._stream = stream
        self._checkpoints = stream.checkpoints
        self._lease = lease
        self._stop = stop
        self._clock = clock
        self._retry = Retrier(clock, _log)
        self._shards = ShardFollower(stream, delivery, stop, clock, pace or Pace(), self._retry)
        self._wake = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until told to stop. Raises what no retry can mend, with all progress kept.

        The calling thread only waits, so that it can leave in good time whatever else hangs.
        """
        self._start("lease", self._lead)
        try:
            self._stop.wait()
        finally:
            self._wind_up()
        if self._failure:
            raise self._failure

    def _start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._work, args=(work,), name=name, daemon=True)
        self._threads[name] = thread
        thread.start()
        return thread

    def _work(self, work: Callable[[], None]) -> None:
        """What a thread does: whatever ends it too early ends the worker, which raises it."""
        try:
            work()
        except Stopping:
            pass
        except BaseException as error:  # noqa: BLE001 - handed on, not swallowed
            self._failure = self._failure or error
            self._stop.set()
        finally:
            self._wake.set()

    def _lead(self) -> None:
        self._stand_by()
        self._retry(self._check_stream)
        self._start("list of shards", self._discover)
        while True:
            # While the state table is away, nobody else can take the lease either. Whether it is still ours is seen
            # when the table is back; until then the shards wait, since their progress cannot be saved.
            pause = self._lease.term_seconds / 3
            self._clock.sleep(pause)
            self._retry(self._renew, max_pause_seconds=pause)

    def _stand_by(self) -> None:
        """Wait for the lease."""
        logged = False
        while not self._retry(self._lease.acquire):
            if not logged:
                leader = self._retry(self._lease.holder)
                _log.info(f"standby: worker {leader} holds the lease", extra={"leader": leader})
                logged = True
            self._clock.sleep(min(self._lease.term_seconds / 4, _STAND_BY_SECONDS))
        _log.info(f"reading the stream as worker {self._lease.owner}", extra={"worker": self._lease.owner})

    def _renew(self) -> None:
        if not self._lease.renew():
            raise DynadexError(
                "go on as worker", self._lease.owner, "another worker took the lease over",
                "Start it again as a standby. If this machine was not asleep, raise DYNADEX_WORKER_LEASE_SECONDS.",
            )  # fmt: skip

    def _wind_up(self) -> None:
        """Come to an end in good time, even if a backend hangs. What is not acknowledged by then will be read again."""
        self._stop.set()
        self._wake.set()
        until = self._clock.monotonic() + _STOP_SECONDS
        while (busy := self._alive()) and self._clock.monotonic() < until:
            busy[0].join(until - self._clock.monotonic())
        if busy:
            names = ", ".join(thread.name for thread in busy)
            _log.warning(f"not waiting for hanging threads ({names}): unacknowledged records will be read again")
        release = self._start("release", self._release)
        release.join(_RELEASE_SECONDS)
        if release.is_alive():
            _log.warning("not waiting for the state table: the next worker starts only when the lease expires")

    def _alive(self) -> list[threading.Thread]:
        return [thread for thread in list(self._threads.values()) if thread.is_alive()]

    def _release(self) -> None:
        try:
            self._lease.release()
        except StateError as error:
            _log.warning(f"the next worker starts only when the lease expires: {error}", extra=error.fields)

    def _check_stream(self) -> None:
        """Checkpoints of another stream say nothing about this one: what came between is lost."""
        # A refill that is under way, or was interrupted, loads what was lost; what comes after is read from here on.
        stale = self._checkpoints.unrecovered()
        if stale:
            raise self._stale(stale)
        known = self._checkpoints.stream()
        if known and known != self._stream.arn:
            replaced = f"the table's stream was replaced (it was {known})"
            self._checkpoints.mark_stale(replaced)
            raise self._stale(replaced)
        if not known:
            answered = self._checkpoints.recovering_since_us()
            if answered is not None and self._clock.now_us() - answered > STREAM_RETENTION_US:
                # Nobody has read the stream since the refill began: what it has read by then may have changed since.
                late = "no worker has read the stream for more than 24 hours since the refill began"
                self._checkpoints.mark_stale(late)
                raise self._stale(late)
            self._begin()

    def _begin(self) -> None:
        """A first start: note every shard that reading begins with, and only then that it has begun.

        Were they noted one by one, a restart in between would take the others for shards that were never read.
        """
        shards = list_shards(self._stream.client, self._stream.arn)
        listed = {shard.shard_id for shard in shards}
        noted = self._checkpoints.load()
        for shard in shards:
            if shard.parent not in listed and shard.shard_id not in noted:
                self._checkpoints.save(shard.shard_id, Checkpoint(None))
        self._checkpoints.follow(self._stream.arn)

    def _discover(self) -> None:
        """Look for shards to read: now and then, and at once when one has ended."""
        while True:
            self._wake.clear()
            if self._stop.is_set():
                return
            self._retry(self._start_ready_shards)
            self._wake.wait(_DISCOVER_SECONDS)

    def _start_ready_shards(self) -> None:
        # Before its checkpoint is read: one that comes to its end meanwhile would be read a second time.
        followed = {thread.name for thread in self._alive()}
        # Shards end every few hours, for as long as the worker runs. No other thread starts any.
        for name in [one for one in list(self._threads) if one.startswith("shard ") and one not in followed]:
            del self._threads[name]
        checkpoints = self._checkpoints.load()
        finished = [shard_id for shard_id, checkpoint in checkpoints.items() if checkpoint.finished]
        shards = list_shards(self._stream.client, self._stream.arn)
        found = plan_reads(shards, checkpoints, finished)
        if found.lost:
            self._checkpoints.mark_stale(found.lost[0])
            raise self._stale(found.lost[0])
        for shard_id in succeeded(shards, checkpoints, self._clock.now_us()):
            self._checkpoints.save(shard_id, replace(checkpoints[shard_id], passed_us=None))
        for shard_id in found.forget:
            self._checkpoints.forget(shard_id)
        parents = {shard.shard_id: checkpoints.get(shard.parent or "") for shard in shards}
        for shard_id in found.ready:
            name = f"shard {shard_id}"
            if name not in followed:
                noted, parent = checkpoints.get(shard_id), parents[shard_id]
                checkpoint = noted or first_checkpoint(parent)
                if may_lack_its_beginning(checkpoint, noted or parent, self._clock.now_us()):
                    reason = f"the beginning of shard {shard_id} may have been trimmed before it was read"
                    self._checkpoints.mark_stale(reason)
                    raise self._stale(reason)
                self._start(name, partial(self._shards.follow, shard_id, checkpoint))

    def _stale(self, reason: str) -> DynadexError:
        return StreamTrimmedError(
            "go on reading", self._stream.arn, f"the index is stale: {reason}",
            "Run `dynadex refill`, which brings the index up to date.",
        )  # fmt: skip
