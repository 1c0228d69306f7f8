"""Authorization of changes: a token that this process issued, or the gateway in front of the service.

Reads need no authorization; only requests that change something are protected.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from dynadex.http.response import Endpoint, checked
from dynadex.search.problem import Problem

if TYPE_CHECKING:
    from jwt.types import Options

WRITE = "write"
_ALGORITHM = "HS256"
_AUDIENCE = "dynadex"


class Auth(Protocol):
    """Authorizes requests that change something."""

    @property
    def writes(self) -> bool:
        """Whether any request can be authorized."""

    def check(self, request: Request) -> None:
        """Raise Problem (401 or 403) unless the request may make changes."""


def protected(auth: Auth, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with the authorization check before it."""
    return checked(auth.check, endpoint)


class NoWrites:
    """Rejects all changes: the default of a service."""

    writes = False

    def check(self, request: Request) -> None:  # noqa: ARG002 - the same for all requests
        raise Problem(403, "forbidden", "This service is read-only: it was started without a way to authorize changes.")


class TokenAuth:
    """Signed tokens with an expiry, issued by the process that runs the service.

    Args:
        secret: At least 32 bytes. It signs the tokens, so keep it private.
        now: Returns the current time in seconds since the epoch.
    """

    writes = True

    def __init__(self, secret: bytes, now: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._now = now

    def token(self, lifetime_seconds: float, scope: str = WRITE) -> str:
        """Return a token for the header ``Authorization: Bearer TOKEN``.

        Args:
            lifetime_seconds: Seconds until it expires.
            scope: The scopes, separated by spaces. Changes need ``write``.

        Returns:
            The signed token.
        """
        import jwt

        claims = {"aud": _AUDIENCE, "scope": scope, "exp": int(self._now() + lifetime_seconds)}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def check(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthenticated("Changes require a token. Send the header Authorization: Bearer TOKEN.")
        if WRITE not in self._scopes(token.strip()):
            raise Problem(403, "forbidden", "The token does not allow changes.")

    def _scopes(self, token: str) -> list[str]:
        import jwt

        # The expiry is checked below, by the clock that issues the tokens.
        options: Options = {"require": ["exp", "aud"], "verify_exp": False}
        try:
            claims = jwt.decode(token, self._secret, [_ALGORITHM], options=options, audience=_AUDIENCE)
            expired = float(claims["exp"]) <= self._now()
        except (jwt.InvalidTokenError, TypeError, ValueError):
            raise _unauthenticated("The token is not valid for this service.") from None
        if expired:
            raise _unauthenticated("The token has expired.")
        return str(claims.get("scope", "")).split()


class GatewayAuth:
    """Accepts requests that an AWS HTTP API in front of the function has authorized.

    The event contains the authorizer's result, which a header cannot forge. The API's routes for writes have an
    authorizer; this second check rejects writes if a route lacks one.
    """

    writes = True

    def check(self, request: Request) -> None:
        context = request.scope.get("aws.event", {}).get("requestContext", {})
        authorizer = context.get("authorizer") or {}
        if not (authorizer.get("iam") or (authorizer.get("jwt") or {}).get("claims")):
            raise _unauthenticated(
                "Changes require a signed request, or a token from the issuer that this service trusts."
            )


def _unauthenticated(message: str) -> Problem:
    return Problem(401, "unauthenticated", message, headers={"WWW-Authenticate": 'Bearer realm="dynadex"'})
