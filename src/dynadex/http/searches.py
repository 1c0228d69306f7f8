"""Endpoints for searches and suggestions, served from the index alone."""

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
from dynadex.http.read_your_writes import ReadYourWrites, SearchIndex
from dynadex.http.response import reply
from dynadex.search import hits, query, sort_order
from dynadex.search.cursor import bad_cursor
from dynadex.search.problem import Problem, bad_request
from dynadex.search.request import SearchRequest, check_names, parse, query_text, single_value
from dynadex.search.suggest import correction_body, suggest_body
from dynadex.sync import Sync

_TIMEOUT_SECONDS = 5.0
_BAD_REQUEST = 400


class SearchEndpoints:
    """GET of searches and of suggestions."""

    def __init__(self, sync: Sync, index: SearchIndex, schema: KeySchema, read_your_writes: ReadYourWrites) -> None:
        self._alias = sync.index
        self._declared = sync.search
        self._index = index
        self._order = sort_order.order(sync, schema)
        self._read_your_writes = read_your_writes

    async def search(self, request: Request) -> Response:
        search = parse(request.query_params.multi_items(), self._declared)
        body = query.body(self._declared, search, self._order)
        if search.after is None:
            return reply(await run_in_threadpool(self._results, search, body, None))
        # Each copy of a shard refreshes on its own: the write must be visible on the copies that are searched next.
        preference = hashlib.blake2s(search.after.encode(), digest_size=8).hexdigest()
        token = ChangeToken.parse(search.after)
        visible = await self._read_your_writes.wait_until_visible(token, preference)
        results = await run_in_threadpool(self._results, search, body, preference)
        return reply({**results, "after_reached": visible})

    def suggest(self, request: Request) -> Response:
        q = _only_q(request)
        if self._declared.suggest is None or not q.strip():
            return reply({"suggestions": []})
        completions = self._index.search(self._alias, suggest_body(self._declared, q), _TIMEOUT_SECONDS)
        return reply({"suggestions": hits.suggestions(completions)})

    def _results(self, search: SearchRequest, body: Mapping[str, Any], preference: str | None) -> dict[str, Any]:
        try:
            matches = self._index.search(self._alias, body, _TIMEOUT_SECONDS, preference)
        except SearchError as error:
            raise _rejected_value(search, error) or error from error
        results = hits.answer(matches, self._declared, search, self._order)
        # Where filters exclude all hits, the words may well be right.
        if results["total"] == 0 and search.q.strip() and not search.filters:
            correction = correction_body(self._declared, search.q)
            corrections = self._index.search(self._alias, correction, _TIMEOUT_SECONDS)
            results["did_you_mean"] = hits.correction(corrections, search.q)
        return results


def _only_q(request: Request) -> str:
    parameters = request.query_params.multi_items()
    check_names((name for name, _ in parameters), ("q",))
    return query_text(single_value("q", [value for _, value in parameters]) or "")


def _rejected_value(search: SearchRequest, error: SearchError) -> Problem | None:
    """Return the Problem of a value that only OpenSearch can check, because it must have the type of its field."""
    if error.status != _BAD_REQUEST:
        return None
    if search.cursor is not None:
        return bad_cursor()
    if search.filters:
        return bad_request("bad_filter", "A facet value does not fit the type of its field.")
    return None
