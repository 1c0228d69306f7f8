"""What a command prints: its result on standard output, and everything about its work on standard error."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from dynadex.clock import SystemClock, iso

# The attributes that every log record has; all others are fields of the message.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """How lines on standard error look."""

    TEXT = "text"
    JSON = "json"


def say(line: str) -> None:
    """Print a line for the person at the terminal on standard error, so that standard output stays data."""
    _terminal.write(f"dynadex: {line}")


def printable(text: str) -> str:
    """Return text unchanged if a terminal can show it, else as a JSON string."""
    return text if text.isprintable() else json.dumps(text)


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def json_line(message: str, level: str = "INFO", fields: dict[str, Any] | None = None) -> str:
    """Return a log line as JSON: time (ISO, UTC), level, message, and the fields."""
    record = {"time": iso(SystemClock().now_us()), "level": level, "message": message, **(fields or {})}
    return json.dumps(record, ensure_ascii=False, default=str)


def log_to_terminal(log_format: LogFormat = LogFormat.TEXT) -> None:
    """Print what dynadex logs, from INFO up, on standard error."""
    logger = logging.getLogger("dynadex")
    logger.setLevel(logging.INFO)
    _terminal.log_format = log_format
    if _terminal not in logger.handlers:
        logger.addHandler(_terminal)


@contextmanager
def lines_through(write: Callable[[str], None]) -> Iterator[None]:
    """Print lines by ``write`` while the block runs, as a progress bar needs it."""
    before, _terminal.write = _terminal.write, write
    try:
        yield
    finally:
        _terminal.write = before


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Terminal(logging.Handler):
    """Log records as lines: text for people, or JSON for log collectors."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.log_format = LogFormat.TEXT
        self.write: Callable[[str], None] = _to_standard_error

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if self.log_format is LogFormat.JSON:
            fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
            self.write(json_line(message, record.levelname, fields))
        else:
            mark = "! " if record.levelno >= logging.WARNING else ""
            self.write(f"dynadex: {mark}{message}")


_terminal = _Terminal()
