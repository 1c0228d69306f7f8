"""What the HTTP service answers when it cannot do as asked: a status, a code that stays, a sentence for people."""

from __future__ import annotations


class Problem(Exception):
    """``code`` is for programs and never changes; ``message`` is for people and never holds a backend's words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


def bad_request(code: str, message: str) -> Problem:
    """The request is at fault: 400."""
    return Problem(400, code, message)
