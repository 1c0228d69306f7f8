"""Helpers of the HTTP service's unit tests: a client, a scripted index, and a broken table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from starlette.types import ASGIApp

from dynadex.errors import DynadexError
from dynadex.http.auth import TokenAuth

HOST = "http://lessons.test"
SECRET = "node-7.internal: shard failure [lessons-20261124054500]"
NOTHING_FOUND = {"hits": {"total": {"value": 0}, "hits": []}, "aggregations": {"form": {"values": {"buckets": []}}}}
AUTH = TokenAuth(b"no secret at all, but 32 bytes long")
WRITER = {"Authorization": f"Bearer {AUTH.token(3600)}"}


class Client:
    """Sends requests to an ASGI application, without a network. ``headers`` are sent with each of them."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] | None = None) -> None:
        self._app = app
        self._headers = headers or {}

    def request(self, method: str, path: str, address: str = "127.0.0.1", **request: Any) -> httpx.Response:
        headers = {**self._headers, **request.pop("headers", {})}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False, client=(address, 1024))
            async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
                return await client.request(method, path, headers=headers, **request)

        return asyncio.run(send())

    def get(self, path: str, **request: Any) -> httpx.Response:
        return self.request("GET", path, **request)

    def put(self, path: str, **request: Any) -> httpx.Response:
        return self.request("PUT", path, **request)

    def delete(self, path: str, **request: Any) -> httpx.Response:
        return self.request("DELETE", path, **request)


class ScriptedIndex:
    """Returns or raises each of ``replies``, then ``reply``, and records the searches."""

    def __init__(self) -> None:
        self.reply: Any = NOTHING_FOUND
        self.replies: list[Any] = []
        self.aliases = {"lessons"}
        self.searches: list[tuple[str, Mapping[str, Any]]] = []
        self.preferences: list[str | None] = []

    def search(
        self,
        index: str,
        body: Mapping[str, Any],
        timeout_seconds: float | None = None,
        preference: str | None = None,
    ) -> Any:
        assert timeout_seconds, "a search must have a time-out"
        self.searches.append((index, body))
        self.preferences.append(preference)
        reply = self.replies.pop(0) if self.replies else self.reply
        if isinstance(reply, Exception):
            raise reply
        return reply

    def indexes_behind(self, alias: str) -> list[str]:
        return [f"{alias}-20261124054500"] if alias in self.aliases else []


class BrokenTable:
    """Raises the same error from every call."""

    def __init__(self, error: DynadexError) -> None:
        self._error = error

    def read_items(self, keys: Any) -> Any:  # noqa: ARG002
        raise self._error

    def put(self, item: Any, condition: Any = None) -> None:  # noqa: ARG002
        raise self._error

    def delete(self, key: Any, condition: Any = None) -> bool:  # noqa: ARG002
        raise self._error


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error response, and check that it is JSON without the text of a backend's error."""
    assert response.headers["content-type"] == "application/json"
    assert SECRET not in response.text
    [(key, error)] = response.json().items()
    assert key == "error"
    assert {"code", "message"} <= set(error)
    assert error["message"].endswith(".")
    return response.status_code, error["code"]


def path_of(identity: str) -> str:
    """Return the path of a document."""
    return f"/api/documents/{quote(identity, safe='')}"


def hit(identity: str, source: Any, version: int = 1) -> dict[str, Any]:
    """Return a hit as OpenSearch does."""
    return {"_id": identity, "_version": version, "_source": source, "sort": [1.0, identity]}
