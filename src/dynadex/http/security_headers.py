"""What holds for every answer: headers that keep the page to itself, and no writes on behalf of other sites."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dynadex.http.errors import told
from dynadex.search.problem import Problem

REGION_HEADER = "X-Dynadex-Region"
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_ENCRYPTED_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
_READS = ("GET", "HEAD", "OPTIONS")
_METHODS = ("GET", "POST", "PUT", "DELETE")
_SENT = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Location")
_SHOWN = ("ETag", "Retry-After", REGION_HEADER)
_PREFLIGHT_KEPT_SECONDS = 600


class SecurityHeaders:
    """The service as the world sees it: an ASGI application before the one that answers.

    Pages of ``origins`` may read and, with a token, write; those of any other site neither. ``region``, where the
    service is one of several regions, is told with every answer.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str] = (), region: str | None = None) -> None:
        self.app = _open_to(app, origins)
        self._origins = frozenset(origin.lower() for origin in origins)
        self._headers = _HEADERS | ({REGION_HEADER: region} if region else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if scope["scheme"] == "https":
                    headers.update(_ENCRYPTED_ONLY)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        app = told(_foreign()) if self._is_foreign_write(scope) else self.app
        await app(scope, receive, guarded_send)

    def _is_foreign_write(self, scope: Scope) -> bool:
        """A browser names the site that a write comes from; anything that names none is no browser."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["method"] in _READS or origin is None or origin.lower() in self._origins:
            return False
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _open_to(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=tuple(origins),
        allow_methods=_METHODS,
        allow_headers=_SENT,
        expose_headers=_SHOWN,
        max_age=_PREFLIGHT_KEPT_SECONDS,
    )


def _foreign() -> Problem:
    return Problem(403, "cross_origin", "Another site's page must not change anything here.")
