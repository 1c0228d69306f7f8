"""Errors that say what was done, to what, what went wrong and what to do next."""

from __future__ import annotations


class DynadexError(Exception):
    """An error meant for the reader of a terminal or a log.

    ``operation`` is what was being done ("create index"), ``subject`` what it was done to
    ("lessons-20261124054500"), ``reason`` what went wrong in the words of whoever noticed, and
    ``hint`` what to do about it, a full sentence.
    """

    retryable = False

    def __init__(self, operation: str, subject: str, reason: str, hint: str = "") -> None:
        super().__init__(operation, subject, reason, hint)
        self.operation = operation
        self.subject = subject
        self.reason = reason
        self.hint = hint

    @property
    def fields(self) -> dict[str, str]:
        """The parts of the error as fields of a log record."""
        return {"operation": self.operation, "subject": self.subject, "reason": self.reason}

    def __str__(self) -> str:
        text = f"Cannot {self.operation} {self.subject}: {self.reason}".rstrip(". ") + "."
        return f"{text} {self.hint}" if self.hint else text


class DeclarationError(DynadexError):
    """A Sync contradicts itself, or what it names does not exist."""


class SourceError(DynadexError):
    """The table or its stream cannot be used as asked."""


class SourceUnavailable(SourceError):
    """The table or its stream did not answer; the same call may succeed later."""

    retryable = True


class SearchError(DynadexError):
    """The search cluster refused the request as a whole: the data is not at fault.

    ``status`` is the HTTP status it answered with, where it answered.
    """

    def __init__(self, operation: str, subject: str, reason: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(operation, subject, reason, hint)
        self.status = status

    @property
    def not_found(self) -> bool:
        """Whether the index or alias is not there."""
        return self.status == 404


class SearchUnavailable(SearchError):
    """The search cluster did not answer, or asked for patience; retry within the time budget."""

    retryable = True


class RequestTooLarge(SearchError):
    """The search cluster answered 413: the request must be cut into smaller ones."""


class LocalStackError(DynadexError):
    """The local stack cannot start, or one of its processes ended."""
