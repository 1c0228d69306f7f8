"""Read-your-writes: a search waits, within bounds, until searches show a write."""

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
# Requests that wait at the same time. Further ones are served without waiting, because each polls the cluster.
MAX_WAITING = 32
_POLL_SECONDS = 0.05
_TABLE_POLL_SECONDS = 1.0
_SEARCH_TIMEOUT_SECONDS = 5.0


class SearchIndex(Protocol):
    """The searches that the service makes."""

    def search(
        self,
        index: str,
        body: Mapping[str, Any],
        timeout_seconds: float | None = None,
        preference: str | None = None,
    ) -> Any:
        """Return OpenSearch's reply to a search."""


class ItemReader(Protocol):
    """The reads from the table that the service makes while a search waits."""

    def read_items(self, keys: Sequence[Item]) -> list[Item | None]:
        """Return the current items with these keys."""


class ReadYourWrites:
    """Finds a write as searches do: on the same shard copies, as of their last refresh."""

    def __init__(
        self, sync: Sync, index: SearchIndex, table: ItemReader, schema: KeySchema, timing: Timing, clock: Clock
    ) -> None:
        self._sync = sync
        self._index = index
        self._table = table
        self._schema = schema
        self._timing = timing
        self._clock = clock
        self._waiting = 0

    async def wait_until_visible(self, token: ChangeToken, preference: str) -> bool:
        """Wait until searches with this preference show the write or a later one. Return False after ``MAX_SECONDS``.

        Raises SearchError and SourceError.
        """
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        try:
            return await self._poll(token, preference)
        finally:
            self._waiting -= 1

    async def _poll(self, token: ChangeToken, preference: str) -> bool:
        started = self._clock.monotonic()
        next_table_read = started + _TABLE_POLL_SECONDS
        while True:
            hit = await run_in_threadpool(self._visible_document, token.identity, preference)
            if self._shows(token, hit):
                return True
            now = self._clock.monotonic()
            # If another write followed immediately, the document of this write never becomes visible.
            if now >= next_table_read:
                next_table_read = now + _TABLE_POLL_SECONDS
                if await run_in_threadpool(self._is_current, token.identity, hit):
                    return True
            if now - started >= MAX_SECONDS:
                return False
            await asyncio.sleep(_POLL_SECONDS)

    def _visible_document(self, identity: str, preference: str) -> Mapping[str, Any] | None:
        body = {"query": {"ids": {"values": [identity]}}, "version": True, "size": 1, "track_total_hits": False}
        hits = self._index.search(self._sync.index, body, _SEARCH_TIMEOUT_SECONDS, preference)["hits"]["hits"]
        return hits[0] if hits else None

    def _shows(self, token: ChangeToken, hit: Mapping[str, Any] | None) -> bool:
        if hit is None:
            return token.fingerprint is None
        if fingerprint_of(hit["_source"]) == token.fingerprint:
            return True
        # A version is a time, rounded down or reduced by the margin: above this, the document is later than the write.
        return bool(hit["_version"] > token.written_us + self._timing.margin_us)

    def _is_current(self, identity: str, hit: Mapping[str, Any] | None) -> bool:
        """Return whether searches show the document of the current item, so that there is nothing to wait for."""
        try:
            key = key_for(self._schema, identity)
        except Problem:
            return False
        [item] = self._table.read_items([key])
        current = fingerprint(self._sync.build(item).body)
        return current == (fingerprint_of(hit["_source"]) if hit else None)
