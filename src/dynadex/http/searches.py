"""Searches, completions, and what the page needs to know: answered by the index alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from dynadex.document.identity import KeySchema
from dynadex.errors import SearchError
from dynadex.http.change_token import ChangeToken
from dynadex.http.read_your_writes import ReadYourWrites, RealtimeIndex
from dynadex.http.response import reply
from dynadex.search import hits, query, sort_order
from dynadex.search.cursor import bad_cursor
from dynadex.search.problem import Problem, bad_request
from dynadex.search.request import SearchRequest, query_text
from dynadex.sync import Sync

_SEARCH_SECONDS = 5.0
_BAD_REQUEST = 400


class SearchEndpoints:
    """GET of searches and of suggestions."""

    def __init__(self, sync: Sync, index: RealtimeIndex, schema: KeySchema, visibility: ReadYourWrites) -> None:
        self._name = sync.index
        self._offered = sync.search
        self._index = index
        self._order = sort_order.order(sync, schema)
        self._visibility = visibility

    async def search(self, request: Request) -> Response:
        wanted = query.parse(request.query_params.multi_items(), self._offered)
        body = query.body(self._offered, wanted, self._order)
        if wanted.after is None:
            return reply(await run_in_threadpool(self._found, wanted, body, None))
        # Each copy of a shard is refreshed by itself: the write must be visible on the ones that are searched then.
        preference = hashlib.blake2s(wanted.after.encode(), digest_size=8).hexdigest()
        reached = await self._visibility.reached(ChangeToken.parse(wanted.after), preference)
        found = await run_in_threadpool(self._found, wanted, body, preference)
        return reply({**found, "after_reached": reached})

    def suggest(self, request: Request) -> Response:
        q = _only_q(request)
        if self._offered.suggest is None or not q.strip():
            return reply({"suggestions": []})
        found = self._index.search(self._name, query.suggest_body(self._offered, q), _SEARCH_SECONDS)
        return reply({"suggestions": hits.suggestions(found, self._offered, q)})

    def _found(self, wanted: SearchRequest, body: Mapping[str, Any], preference: str | None) -> dict[str, Any]:
        try:
            found = self._index.search(self._name, body, _SEARCH_SECONDS, preference)
        except SearchError as error:
            raise _at_fault(wanted, error) or error from error
        told = hits.answer(found, self._offered, wanted, self._order)
        # Where filters left nothing over, the words may well be right.
        if told["total"] == 0 and wanted.q.strip() and not wanted.filters:
            meant = self._index.search(self._name, query.correction_body(self._offered, wanted.q), _SEARCH_SECONDS)
            told["did_you_mean"] = hits.correction(meant, wanted.q)
        return told


def _only_q(request: Request) -> str:
    given = request.query_params.multi_items()
    unknown = [name for name, _ in given if name != "q"]
    if unknown:
        raise bad_request("unknown_parameter", f"There is no parameter {unknown[0][:80]!r}.")
    if len(given) > 1:
        raise bad_request("repeated_parameter", "The parameter 'q' is given twice.")
    return query_text(given[0][1]) if given else ""


def _at_fault(wanted: SearchRequest, error: SearchError) -> Problem | None:
    """The part of a request that OpenSearch alone can judge: whether a value is one of its field's type."""
    if error.status != _BAD_REQUEST:
        return None
    if wanted.cursor is not None:
        return bad_cursor()
    if wanted.filters:
        return bad_request("bad_filter", "A facet cannot have one of the values given.")
    return None
