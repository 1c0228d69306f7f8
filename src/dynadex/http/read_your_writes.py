"""Whether searches show a write already, waited for within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool

from dynadex.change import Item
from dynadex.clock import Clock
from dynadex.document.identity import KeySchema
from dynadex.document.versioning import Timing
from dynadex.http.change_token import ChangeToken, fingerprint, fingerprint_of
from dynadex.http.items import key_for
from dynadex.search.problem import Problem
from dynadex.sync import Sync

MAX_SECONDS = 5.0
# So many requests may wait at once; more are answered without waiting, for each of them keeps asking the cluster.
MAX_WAITING = 32
_EVERY_SECONDS = 0.05
_TABLE_EVERY_SECONDS = 1.0
_ASK_SECONDS = 5.0


class RealtimeIndex(Protocol):
    """What is asked of the index."""

    def search(
        self,
        index: str,
        body: Mapping[str, Any],
        timeout_seconds: float | None = None,
        preference: str | None = None,
    ) -> Any:
        """A search, as OpenSearch answers it."""


class ItemReader(Protocol):
    """What is asked of the table."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items with these keys as they are now."""


class ReadYourWrites:
    """Looks for a write the way searches do: on the same copies of the shards, as of their last refresh."""

    def __init__(
        self,
        sync: Sync,
        index: RealtimeIndex,
        table: ItemReader,
        schema: KeySchema,
        timing: Timing,
        clock: Clock,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self._sync = sync
        self._index = index
        self._table = table
        self._schema = schema
        self._timing = timing
        self._clock = clock
        self._max_seconds = max_seconds
        self._waiting = 0

    async def reached(self, token: ChangeToken, preference: str) -> bool:
        """Wait until searches with this preference show the write, or something later; False if that takes too long.

        Raises SearchError and SourceError, and Problem for a token of another table.
        """
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        try:
            return await self._wait(token, preference)
        finally:
            self._waiting -= 1

    async def _wait(self, token: ChangeToken, preference: str) -> bool:
        began = self._clock.monotonic()
        table_at = began + _TABLE_EVERY_SECONDS
        while True:
            shown = await run_in_threadpool(self._shown, token.identity, preference)
            if self._passed(token, shown):
                return True
            now = self._clock.monotonic()
            # Who was overtaken by another write at once waits for a document that never comes.
            if now >= table_at:
                table_at = now + _TABLE_EVERY_SECONDS
                if await run_in_threadpool(self._is_current, token.identity, shown):
                    return True
            if now - began >= self._max_seconds:
                return False
            await asyncio.sleep(_EVERY_SECONDS)

    def _shown(self, identity: str, preference: str) -> Mapping[str, Any] | None:
        wanted = {"query": {"ids": {"values": [identity]}}, "version": True, "size": 1, "track_total_hits": False}
        hits = self._index.search(self._sync.index, wanted, _ASK_SECONDS, preference)["hits"]["hits"]
        return hits[0] if hits else None

    def _passed(self, token: ChangeToken, shown: Mapping[str, Any] | None) -> bool:
        if shown is None:
            return token.fingerprint is None
        if fingerprint_of(shown["_source"]) == token.fingerprint:
            return True
        # A version is a time, rounded down or set back by the margin: above it, the document was made after the write.
        return bool(shown["_version"] > token.written_us + self._timing.margin_us)

    def _is_current(self, identity: str, shown: Mapping[str, Any] | None) -> bool:
        """Whether searches show what the item makes now: nothing is left that could come."""
        try:
            key = key_for(self._schema, identity)
        except Problem:
            return False
        [item] = self._table.read_items([key])
        now = fingerprint(self._sync.build(item).body)
        return now == (fingerprint_of(shown["_source"]) if shown else None)
