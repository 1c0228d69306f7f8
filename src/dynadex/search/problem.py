"""The error of a request: raised by search and HTTP code, sent as JSON by ``dynadex.http.errors``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """A request to which the HTTP service responds with an error.

    Args:
        status: The HTTP status.
        code: A stable identifier for programs.
        message: A sentence for people. It never contains the text of an OpenSearch or DynamoDB error.
        details: Further fields of the JSON error, next to the code and the message.
        headers: Headers of the response.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details or {}
        self.headers = headers or {}


def bad_request(code: str, message: str) -> Problem:
    """Return the Problem of an invalid request (400)."""
    return Problem(400, code, message)
