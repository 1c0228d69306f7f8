"""Endpoints: what they answer with, and what is checked before they are asked."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from dynadex.document.body import encode

# A plain function runs in a thread, for the clients behind it block.
Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]
Check = Callable[[Request], None]


def reply(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON with exact numbers; nobody keeps it unless ``headers`` say so."""
    sent = {"Cache-Control": "no-store", **(headers or {})}
    return Response(encode(content), status, media_type="application/json", headers=sent)


def tagged(request: Request, content: Mapping[str, Any], tag: str) -> Response:
    """JSON that a client may keep, and must ask about each time; 304 if it has this very one already."""
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return reply(content, headers=headers)


def constant(content: Mapping[str, Any]) -> Endpoint:
    """An endpoint that answers the same as long as the process lives."""
    tag = f'"{hashlib.blake2s(encode(content), digest_size=8).hexdigest()}"'
    return lambda request: tagged(request, content, tag)


def after(check: Check, endpoint: Endpoint) -> Endpoint:
    """The endpoint, asked only if ``check`` raises no Problem."""
    if inspect.iscoroutinefunction(endpoint):

        async def asked(request: Request) -> Response:
            check(request)
            return cast(Response, await endpoint(request))

        return asked

    def called(request: Request) -> Response:
        check(request)
        return cast(Response, endpoint(request))

    return called
