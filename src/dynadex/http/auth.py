"""Who may change anything: whoever shows a token of this process, or whom the gateway before it has let through.

Searches and single documents are for everybody; only what changes something is protected.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from dynadex.http.response import Endpoint, after
from dynadex.search.problem import Problem

if TYPE_CHECKING:
    from jwt.types import Options

WRITE = "write"
_ALGORITHM = "HS256"
_AUDIENCE = "dynadex"


class Auth(Protocol):
    """Decides on a request that changes something."""

    @property
    def writes(self) -> bool:
        """Whether anybody can be authorised at all."""

    def check(self, request: Request) -> None:
        """Raise Problem (401 or 403) unless this request may change something."""


def protected(auth: Auth, endpoint: Endpoint) -> Endpoint:
    """The endpoint, for requests that may change something."""
    return after(auth.check, endpoint)


class NoWrites:
    """Nobody may change anything: what a service does that was told nothing else."""

    writes = False

    def check(self, request: Request) -> None:  # noqa: ARG002 - whatever it is
        raise Problem(403, "forbidden", "This service only reads: it was started without anybody who may write.")


class TokenAuth:
    """Signed tokens with an end, made by the process that started the service.

    ``secret`` has at least 32 bytes; whoever has it can make tokens. ``now`` tells seconds since the epoch.
    """

    writes = True

    def __init__(self, secret: bytes, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now

    def token(self, lifetime_seconds: float, scope: str = WRITE) -> str:
        """A token to show as ``Authorization: Bearer TOKEN``."""
        import jwt

        claims = {"aud": _AUDIENCE, "scope": scope, "exp": int(self._now() + lifetime_seconds)}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, request: Request) -> None:
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not shown:
            raise _unauthenticated("Changes need a token: Authorization: Bearer TOKEN.")
        if WRITE not in self._scopes(shown.strip()):
            raise Problem(403, "forbidden", "This token does not allow changes.")

    def _scopes(self, token: str) -> list[str]:
        import jwt

        # The end is looked at here, on the same clock that tokens are made by.
        options: Options = {"require": ["exp", "aud"], "verify_exp": False}
        try:
            claims = jwt.decode(token, self._secret, [_ALGORITHM], options=options, audience=_AUDIENCE)
            ended = float(claims["exp"]) <= self._now()
        except (jwt.InvalidTokenError, TypeError, ValueError):
            raise _unauthenticated("This token is not one of this service's.") from None
        if ended:
            raise _unauthenticated("This token has expired.")
        return str(claims.get("scope", "")).split()


class GatewayAuth:
    """An HTTP API of AWS before the function has authorised the request; only it can say so, no header does.

    The routes that write have an authorizer. This looks again, so that a route without one lets nobody through.
    """

    writes = True

    def check(self, request: Request) -> None:
        context = request.scope.get("aws.event", {}).get("requestContext", {})
        authorised = context.get("authorizer") or {}
        if not (authorised.get("iam") or (authorised.get("jwt") or {}).get("claims")):
            raise _unauthenticated("Changes need a signed request, or a token of the issuer that this service trusts.")


def _unauthenticated(message: str) -> Problem:
    return Problem(401, "unauthenticated", message, headers={"WWW-Authenticate": 'Bearer realm="dynadex"'})
