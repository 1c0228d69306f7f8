"""Endpoints: JSON responses, caching headers, and checks that run before an endpoint."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from dynadex.document.body import encode

# Starlette runs a plain function in a thread: the clients that it calls block.
Endpoint = Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]
Check = Callable[[Request], None]


def reply(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response with exact numbers. Caches must not store it unless ``headers`` allow it."""
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(encode(content), status, media_type="application/json", headers=all_headers)


def tagged(request: Request, content: Mapping[str, Any], tag: str) -> Response:
    """Return JSON with an ETag, which clients may cache but must revalidate; 304 if the request has this ETag."""
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    cached = {etag.strip().removeprefix("W/") for etag in request.headers.get("if-none-match", "").split(",")}
    if cached & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return reply(content, headers=headers)


def constant(content: Mapping[str, Any]) -> Endpoint:
    """Return an endpoint whose content does not change while the process runs."""
    tag = f'"{hashlib.blake2s(encode(content), digest_size=8).hexdigest()}"'
    return lambda request: tagged(request, content, tag)


def checked(check: Check, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with ``check`` before it. The check raises Problem to reject a request."""
    if inspect.iscoroutinefunction(endpoint):

        async def checked_coroutine(request: Request) -> Response:
            check(request)
            return cast(Response, await endpoint(request))

        return checked_coroutine

    def checked_function(request: Request) -> Response:
        check(request)
        return cast(Response, endpoint(request))

    return checked_function
