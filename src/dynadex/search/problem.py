"""What the HTTP service answers when it cannot do as asked: a status, a code that stays, a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """``code`` is for programs and never changes; ``message`` is for people and never holds a backend's words.

    ``details`` stand beside them in the answer; ``headers`` are sent with it.
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
    """The request is at fault: 400."""
    return Problem(400, code, message)
