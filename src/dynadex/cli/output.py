"""Output of the commands: results go to standard output, progress and log lines to standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from dynadex.clock import SystemClock, iso

# The attributes of every log record. All others are fields that the caller passed as ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """Format of the log lines on standard error."""

    TEXT = "text"
    JSON = "json"


def say(line: str) -> None:
    """Print a line for the user on standard error, so that standard output contains only results."""
    _handler.write(f"dynadex: {line}")


def printable(text: str) -> str:
    """Return text unchanged if a terminal can show it, otherwise as a JSON string."""
    return text if text.isprintable() else json.dumps(text)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def json_line(message: str, level: str = "INFO", fields: Mapping[str, Any] | None = None) -> str:
    """Return a log line as a JSON object: time (ISO, UTC), level, message, and the fields."""
    record = {"time": iso(SystemClock().now_us()), "level": level, "message": message, **(fields or {})}
    return json.dumps(record, ensure_ascii=False, default=str)


def log_to_terminal(log_format: LogFormat = LogFormat.TEXT) -> None:
    """Print the log records of dynadex from level INFO on standard error."""
    _handler.setFormatter(_FORMATTERS[log_format])
    logger = logging.getLogger("dynadex")
    logger.setLevel(logging.INFO)
    # Does nothing if the handler is already added.
    logger.addHandler(_handler)


@contextmanager
def redirect_lines(write: Callable[[str], None]) -> Iterator[None]:
    """Pass log lines and the lines of `say` to ``write`` within the block. A progress bar needs this."""
    before, _handler.write = _handler.write, write
    try:
        yield
    finally:
        _handler.write = before


class _TextFormatter(logging.Formatter):
    """Lines for people, with a mark for warnings and errors. A traceback follows its line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - a method of logging.Formatter
        return f"dynadex: {'! ' if record.levelno >= logging.WARNING else ''}{record.message}"


class _JsonFormatter(logging.Formatter):
    """One JSON object per line for log collectors. A traceback is the field ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json_line(record.getMessage(), record.levelname, fields)


class _LineHandler(logging.Handler):
    """Passes each formatted log record to ``write``, which prints it on standard error unless redirected.

    An OSError of ``write`` reaches the caller of the log method, so that a full disk ends the command.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.write: Callable[[str], None] = _print_to_standard_error

    def emit(self, record: logging.LogRecord) -> None:
        self.write(self.format(record))


def _print_to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_FORMATTERS = {LogFormat.TEXT: _TextFormatter(), LogFormat.JSON: _JsonFormatter()}
_handler = _LineHandler()
