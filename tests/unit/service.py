"""Around the HTTP service in its unit tests: requests, an index that says what it is told to, a broken table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

from dynadex.errors import DynadexError

HOST = "http://lessons.test"
NOTHING_FOUND = {"hits": {"total": {"value": 0}, "hits": []}, "aggregations": {"form": {"values": {"buckets": []}}}}


class Client:
    """Requests to an ASGI application, without a network."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(self, method: str, path: str, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
                return await client.request(method, path, **request)

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def put(self, path: str, **request: Any) -> httpx.Response:
        return self.request("PUT", path, **request)

    def delete(self, path: str) -> httpx.Response:
        return self.request("DELETE", path)


class ScriptedIndex:
    """Answers with ``reply``, or raises it; remembers what it was asked."""

    def __init__(self) -> None:
        self.reply: Any = NOTHING_FOUND
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def search(self, index: str, body: Mapping[str, Any], timeout_seconds: float | None = None) -> Any:
        assert timeout_seconds, "a page must not hang"
        self.asked.append((index, body))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


class BrokenTable:
    """Raises one error for everything."""

    def __init__(self, error: DynadexError) -> None:
        self._error = error

    def read_items(self, keys: Any) -> Any:  # noqa: ARG002
        raise self._error

    def put(self, item: Any) -> None:  # noqa: ARG002
        raise self._error

    def delete(self, key: Any) -> bool:  # noqa: ARG002
        raise self._error
