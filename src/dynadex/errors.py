"""Errors that state what failed, for which subject, why, and what to do next."""

from __future__ import annotations


class DynadexError(Exception):
    """An error whose text is meant for a terminal or a log: ``Cannot OPERATION SUBJECT: REASON. HINT``.

    Args:
        operation: What failed, as a verb phrase that follows "Cannot": ``create index``.
        subject: What the operation was applied to: ``lessons-20261124054500``.
        reason: Why it failed, in the words of the service or the library that reported it, where there is one.
        hint: What to do about it, as a full sentence; empty when there is nothing to suggest.

    Attributes:
        retryable: Whether the same call may succeed later. A property of the class.
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
    """A Sync or a setting contradicts itself, or names something that does not exist."""


class SourceError(DynadexError):
    """DynamoDB, its stream or an export in S3 rejected the request."""


class SourceUnavailable(SourceError):
    """DynamoDB, its stream or S3 is unavailable or throttles; the same call may succeed later."""

    retryable = True


class SearchError(DynadexError):
    """The search cluster rejected the whole request; the documents in it are not the cause.

    Args:
        operation: See DynadexError.
        subject: See DynadexError.
        reason: See DynadexError.
        hint: See DynadexError.
        status: HTTP status of the response; None when there was no response.
    """

    def __init__(self, operation: str, subject: str, reason: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(operation, subject, reason, hint)
        self.status = status

    @property
    def not_found(self) -> bool:
        """Whether the index or alias does not exist (HTTP status 404)."""
        return self.status == 404


class SearchUnavailable(SearchError):
    """The search cluster did not respond, or returned 429 or 5xx; the same call may succeed later."""

    retryable = True


class RequestTooLarge(SearchError):
    """The search cluster returned 413: split the request into smaller ones."""


class LocalStackError(DynadexError):
    """The local stack cannot start, or one of its processes ended."""
