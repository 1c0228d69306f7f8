"""Hostile requests that no client library would send."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.waiting import HANG_SECONDS


@dataclass(frozen=True)
class Answer:
    """A status, and the body as text."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)


def get(app: Any, path: str, parameters: Mapping[str, str]) -> Answer:
    """Send a GET to an ASGI application, with parameters of any length."""
    query = urlencode(parameters, errors="surrogatepass").encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(b"host", b"lessons.test")],
        "client": ("127.0.0.1", 1024),
        "server": ("lessons.test", 80),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return Answer(sent[0]["status"], body.decode())


def get_target(url: str, target: str) -> Answer:
    """Send a GET to a server, with exactly this target in the request line."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=HANG_SECONDS)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode(errors="replace"))
    finally:
        connection.close()
