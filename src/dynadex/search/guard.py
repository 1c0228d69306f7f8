"""What holds for every answer: headers that keep the page to itself, and no writes on behalf of other sites."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dynadex.document.body import encode

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_READS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware. There is no CORS either: other sites can neither read nor write."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        app = _refusal() if _is_foreign_write(scope) else self._app
        await app(scope, receive, guarded_send)


def _is_foreign_write(scope: Scope) -> bool:
    """A browser names the site that a write comes from; anything that names none is no browser."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if scope["method"] in _READS or origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _refusal() -> Response:
    message = "Another site's page must not change anything here."
    return Response(encode({"error": {"code": "cross_origin", "message": message}}), 403, media_type="application/json")
