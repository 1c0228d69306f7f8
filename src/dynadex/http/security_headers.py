"""Security headers of every response, CORS, and the rejection of writes from pages of other origins."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dynadex.http.errors import error_response
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
_REQUEST_HEADERS = ("Authorization", "Content-Type", "If-Match", "If-None-Match", "X-Location")
_RESPONSE_HEADERS = ("ETag", "Retry-After", REGION_HEADER)
_PREFLIGHT_CACHE_SECONDS = 600


class SecurityHeaders:
    """Middleware around the service's ASGI application.

    Pages of ``cors_origins`` may read and, with a token, write; pages of other origins may do neither. ``region`` is
    the name in a header of every response, for a service in several regions.
    """

    def __init__(self, app: ASGIApp, cors_origins: Sequence[str] = (), region: str | None = None) -> None:
        self.app = _with_cors(app, cors_origins)
        self._origins = frozenset(origin.lower() for origin in cors_origins)
        self._headers = _HEADERS | ({REGION_HEADER: region} if region else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if scope["scheme"] == "https":
                    headers.update(_ENCRYPTED_ONLY)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        app = error_response(_cross_origin()) if self._is_cross_origin_write(scope) else self.app
        await app(scope, receive, send_with_headers)

    def _is_cross_origin_write(self, scope: Scope) -> bool:
        """Browsers send the origin of a page with its writes; a request without one does not come from a browser."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["method"] in _READS or origin is None or origin.lower() in self._origins:
            return False
        return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _with_cors(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=tuple(origins),
        allow_methods=_METHODS,
        allow_headers=_REQUEST_HEADERS,
        expose_headers=_RESPONSE_HEADERS,
        max_age=_PREFLIGHT_CACHE_SECONDS,
    )


def _cross_origin() -> Problem:
    return Problem(403, "cross_origin", "Pages of other origins must not make changes.")
