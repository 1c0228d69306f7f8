"""Rules in common use for the version of a write, to compare in the same world and schedules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dynadex.change import Change
from dynadex.document.versioning import MICROSECONDS
from dynadex.index.bulk import APPLIED, External, Outcome, Reply, Write
from dynadex.index.results import ApplyResult
from dynadex.index.writer import Writer
from dynadex.source.stream_event import Record, parse
from tests.property.world import SYNC, World


class _Rival:
    """Common to the rivals: write each record in order, count a conflict as a success, dead-letter nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._writer = Writer(world.unreliable, world.clock)

    def apply(self, records: Sequence[Record], deadline: float) -> ApplyResult:
        result = ApplyResult()
        for change in map(parse, records):
            assert isinstance(change, Change)
            reply = self._write(change.key["id"]["S"], change.image, self.version(change), deadline)
            if reply.outcome is Outcome.RETRY:
                result.failed[change.sequence_number] = reply.reason
        return result

    def load(self, items: Sequence[Any], requested_at_us: int, deadline: float, indexes: Sequence[str]) -> ApplyResult:  # noqa: ARG002
        result = ApplyResult()
        for item in items:
            reply = self._write(item["id"]["S"], item, self.scan_version(requested_at_us), deadline)
            if reply.outcome is Outcome.RETRY:
                result.failed[item["id"]["S"]] = reply.reason
        return result

    def resync(self, key: Mapping[str, Any], deadline: float) -> None:
        """Do nothing: rivals have no reconciliation."""

    def sweep(self, started_at_us: int, indexes: Sequence[str]) -> None:
        """Do nothing: rivals have no sweep."""

    def version(self, change: Change) -> int | None:
        raise NotImplementedError

    def scan_version(self, requested_at_us: int) -> int | None:
        raise NotImplementedError

    def _write(self, identity: str, item: Any, version: int | None, deadline: float) -> Reply:
        body = SYNC.build(item).body
        condition = _Unconditional() if version is None else External(version)
        write = Write(identity, body, condition)  # type: ignore[arg-type]
        reply = self._writer.write(self._world.index, [write], deadline)[0]
        return reply if reply.outcome is Outcome.RETRY else APPLIED


class NoVersion(_Rival):
    """Index and delete without a version: the last write wins."""

    def version(self, change: Change) -> int | None:  # noqa: ARG002
        return None

    def scan_version(self, requested_at_us: int) -> int | None:  # noqa: ARG002
        return None


class SecondAndCount(_Rival):
    """Version = second x 1,000,000 + number of records of that second that this process has seen."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._seen: Counter[int] = Counter()

    def version(self, change: Change) -> int | None:
        second = change.time_us // MICROSECONDS
        self._seen[second] += 1
        return second * MICROSECONDS + self._seen[second]

    def scan_version(self, requested_at_us: int) -> int | None:
        return requested_at_us // MICROSECONDS * MICROSECONDS


class _Unconditional:
    """No condition: encoded as a write without a version."""
