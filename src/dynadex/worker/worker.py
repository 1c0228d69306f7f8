"""The worker: follows a table's stream without Lambda, with the semantics of Lambda's event source mapping."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from dynadex.clock import Stopping
from dynadex.errors import DynadexError
from dynadex.retry import Retrier
from dynadex.source.shard_reader import StreamTrimmedError, list_shards
from dynadex.source.shards import STREAM_RETENTION_US, plan_reads
from dynadex.state.checkpoints import Checkpoint
from dynadex.state.lease import Lease
from dynadex.state.state_table import StateError
from dynadex.worker.shard_follower import Delivery, FollowedStream, Pace, ShardFollower
from dynadex.worker.shard_progress import covered_by_children, first_checkpoint, may_lack_its_beginning

_log = logging.getLogger(__name__)

_DISCOVER_SECONDS = 5.0
_STANDBY_SECONDS = 1.0
# Docker kills a container 10 seconds after the signal to stop.
_STOP_SECONDS = 5.0
_RELEASE_SECONDS = 1.0


class Worker:
    """Reads each shard in a separate thread, parents before children, and saves what is acknowledged.

    Two more threads renew the lease and discover new shards.
    """

    def __init__(
        self,
        stream: FollowedStream,
        lease: Lease,
        delivery: Delivery,
        stop: threading.Event,
        retry: Retrier,
        pace: Pace | None = None,
    ) -> None:
        self._stream = stream
        self._checkpoints = stream.checkpoints
        self._lease = lease
        self._stop = stop
        self._clock = retry.clock
        self._retry = retry
        self._shards = ShardFollower(stream, delivery, stop, retry, pace or Pace())
        self._wake = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until ``stop`` is set. Raises errors that are not retryable; all progress is kept.

        The calling thread only waits, so that it returns in time even if another thread hangs.
        """
        self._start("lease", self._lead)
        try:
            self._stop.wait()
        finally:
            self._shut_down()
        if self._failure:
            raise self._failure

    def _start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._work, args=(work,), name=name, daemon=True)
        self._threads[name] = thread
        thread.start()
        return thread

    def _work(self, work: Callable[[], None]) -> None:
        """Body of each thread. An error in one thread stops the worker, which raises it."""
        try:
            work()
        except Stopping:
            pass
        except BaseException as error:  # noqa: BLE001 - raised by run
            self._failure = self._failure or error
            self._stop.set()
        finally:
            self._wake.set()

    def _lead(self) -> None:
        """Wait for the lease, start to read the stream, and renew the lease until the worker stops."""
        self._await_lease()
        self._retry(self._check_stream)
        self._start("list of shards", self._discover)
        while True:
            # While the state table is unavailable, no other worker can take the lease either. Until it is available
            # again and shows who holds the lease, the shards wait, because they cannot save their progress.
            pause = self._lease.term_seconds / 3
            self._clock.sleep(pause)
            self._retry(self._renew, max_pause_seconds=pause)

    def _await_lease(self) -> None:
        """Wait as a standby until this worker holds the lease."""
        logged = False
        while not self._retry(self._lease.acquire):
            if not logged:
                leader = self._retry(self._lease.holder)
                _log.info(f"standby: worker {leader} holds the lease", extra={"leader": leader})
                logged = True
            self._clock.sleep(min(self._lease.term_seconds / 4, _STANDBY_SECONDS))
        _log.info(f"reading the stream as worker {self._lease.owner}", extra={"worker": self._lease.owner})

    def _renew(self) -> None:
        if not self._lease.renew():
            raise DynadexError(
                "continue as worker", self._lease.owner, "another worker took over the lease",
                "Start it again as a standby. If this machine was not suspended, raise DYNADEX_WORKER_LEASE_SECONDS.",
            )  # fmt: skip

    def _shut_down(self) -> None:
        """Stop in time even if a backend hangs. Records that are not acknowledged by then will be read again."""
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
        """Raise StreamTrimmedError if changes were lost: the index is stale, or the checkpoints belong to another
        stream. On a first start, record the shards of the stream."""
        # A backfill that runs, or was interrupted, loads the lost changes. The worker reads those that follow.
        reason = self._checkpoints.unrecovered()
        if reason:
            raise self._stale(reason)
        known = self._checkpoints.stream()
        if known and known != self._stream.arn:
            raise self._mark_stale(f"the table's stream was replaced (it was {known})")
        if not known:
            recovery_began_us = self._checkpoints.recovering_since_us()
            if recovery_began_us is not None and self._clock.now_us() - recovery_began_us > STREAM_RETENTION_US:
                # No worker has read the stream since the backfill began, so items that it has read may have changed.
                raise self._mark_stale("no worker has read the stream for more than 24 hours since the backfill began")
            self._record_first_shards()

    def _record_first_shards(self) -> None:
        """Record every shard that a first start reads, and only then that reading has begun.

        In another order, a restart in between would mistake the other shards for shards that were never read.
        """
        shards = list_shards(self._stream.client, self._stream.arn)
        listed = {shard.shard_id for shard in shards}
        checkpoints = self._checkpoints.load()
        for shard in shards:
            if shard.parent not in listed and shard.shard_id not in checkpoints:
                self._checkpoints.save(shard.shard_id, Checkpoint(None))
        self._checkpoints.follow(self._stream.arn)

    def _discover(self) -> None:
        """Find shards to read: regularly, and immediately when one has ended."""
        while True:
            self._wake.clear()
            if self._stop.is_set():
                return
            self._retry(self._start_ready_shards)
            self._wake.wait(_DISCOVER_SECONDS)

    def _start_ready_shards(self) -> None:
        # Listed before the checkpoints are read. Otherwise a shard that ends in between would be read a second time.
        followed = {thread.name for thread in self._alive()}
        # Drop ended threads: shards end every few hours for as long as the worker runs. Only this thread starts others.
        for name in [name for name in list(self._threads) if name.startswith("shard ") and name not in followed]:
            del self._threads[name]
        checkpoints = self._checkpoints.load()
        finished = [shard_id for shard_id, checkpoint in checkpoints.items() if checkpoint.finished]
        shards = list_shards(self._stream.client, self._stream.arn)
        plan = plan_reads(shards, checkpoints, finished)
        if plan.lost:
            raise self._mark_stale(plan.lost[0])
        for shard_id in covered_by_children(shards, checkpoints, self._clock.now_us()):
            self._checkpoints.save(shard_id, replace(checkpoints[shard_id], passed_us=None))
        for shard_id in plan.obsolete:
            self._checkpoints.delete(shard_id)
        parents = {shard.shard_id: checkpoints.get(shard.parent or "") for shard in shards}
        for shard_id in plan.ready:
            name = f"shard {shard_id}"
            if name not in followed:
                checkpoint = self._start_of(shard_id, checkpoints.get(shard_id), parents[shard_id])
                self._start(name, partial(self._shards.follow, shard_id, checkpoint))

    def _start_of(self, shard_id: str, saved: Checkpoint | None, parent: Checkpoint | None) -> Checkpoint:
        """Return the checkpoint to read a shard from. Raises StreamTrimmedError if its first records may be lost."""
        checkpoint = saved or first_checkpoint(parent)
        if may_lack_its_beginning(checkpoint, saved or parent, self._clock.now_us()):
            raise self._mark_stale(f"the beginning of shard {shard_id} may have been trimmed before it was read")
        return checkpoint

    def _mark_stale(self, reason: str) -> DynadexError:
        """Declare the index stale; return the error to raise."""
        self._checkpoints.mark_stale(reason)
        return self._stale(reason)

    def _stale(self, reason: str) -> DynadexError:
        return StreamTrimmedError(
            "continue reading", self._stream.arn, f"the index is stale: {reason}",
            "Run `dynadex refill`, which brings the index up to date.",
        )  # fmt: skip
