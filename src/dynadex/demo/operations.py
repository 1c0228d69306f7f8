"""Operations that the page starts: verify, redrive, rebuild, rollback and backfill, one at a time, in a thread.

Each calls the same function as its command. This module starts it and stores its progress.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from dynadex.clock import Clock, StoppableClock, Stopping
from dynadex.errors import DynadexError
from dynadex.index.aliases import searched_index
from dynadex.index.lifecycle import roll_back
from dynadex.maintenance.redrive import Redriven, redrive
from dynadex.refill import refill as refills
from dynadex.refill.rebuild import RebuildOptions, rebuild
from dynadex.refill.segments import OnProgress, RefillProgress
from dynadex.runtime import Runtime
from dynadex.text import counted
from dynadex.verify import verify as verifies

_STOP_SECONDS = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """The running operation, or the last one.

    ``state`` is running, done or failed. ``done`` is the number of items so far, of about ``total`` (None if unknown).
    ``message`` describes the progress or the result, and ``result`` contains its counts.
    """

    name: str
    state: str = "running"
    done: int = 0
    total: int | None = None
    message: str = ""
    result: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Run:
    """The arguments of an operation: its own runtime, the event that stops it, and a function that sets its fields."""

    runtime: Runtime
    stop: threading.Event
    update: Callable[..., None]


# Run an operation; return a message and the counts.
Work = Callable[[_Run], tuple[str, dict[str, Any]]]


class Operations:
    """Starts operations. ``connect`` returns a runtime with the clock that it is called with."""

    def __init__(self, connect: Callable[[Clock], Runtime]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._stopped = False
        # Each operation has its own event, because a failing backfill sets it to stop its other threads.
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._operation: Operation | None = None

    def start(self, name: str) -> bool:
        """Start an operation; return False if one is running. Raises KeyError for an unknown name."""
        work = _WORK[name]
        with self._lock:
            if self._stopped or (self._operation and self._operation.state == "running"):
                return False
            self._operation = Operation(name)
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._work, args=(work, self._stop), name=name, daemon=True)
            self._thread.start()
        return True

    def latest(self) -> Operation | None:
        """Return the running operation, otherwise the last one."""
        with self._lock:
            return self._operation

    def stop(self) -> None:
        """Stop the running operation and reject new ones. Its command can continue what was interrupted."""
        with self._lock:
            self._stopped = True
            self._stop.set()
        if self._thread:
            self._thread.join(_STOP_SECONDS)

    def _work(self, work: Work, stop: threading.Event) -> None:
        try:
            run = _Run(self._connect(StoppableClock(stop)), stop, self._update)
            with _logged_messages(run):
                message, result = work(run)
            self._update(state="done", message=message, result=result)
        except Stopping:
            self._update(state="failed", message="Stopped before its end.")
        except DynadexError as error:
            self._update(state="failed", message=str(error))
        except Exception:  # noqa: BLE001 - the page must show that the operation has failed
            _log.exception("operation failed")
            self._update(state="failed", message="Failed because of an unexpected error: see the log.")

    def _update(self, **changes: Any) -> None:
        with self._lock:
            assert self._operation is not None
            self._operation = replace(self._operation, **changes)


def _verify(run: _Run) -> tuple[str, dict[str, Any]]:
    def on_progress(progress: verifies.VerifyProgress) -> None:
        message = f"{progress.items:,} items compared, {counted(progress.differences, 'difference')}"
        run.update(done=progress.items, total=progress.total, message=message)

    index = searched_index(run.runtime.index, run.runtime.sync.index)
    callbacks = verifies.VerifyCallbacks(on_progress=on_progress)
    result = verifies.verify(run.runtime, index, verifies.VerifyOptions(), callbacks)
    verifies.save_result(run.runtime, result)
    compared = f"{result.items:,} items and {result.documents:,} documents compared"
    differences = f"{counted(result.remaining.total(), 'difference')} found"
    return f"{compared}: {'the index equals its table' if result.equal else differences}.", result.summary()


def _redrive(run: _Run) -> tuple[str, dict[str, Any]]:
    def on_progress(progress: Redriven) -> None:
        run.update(done=progress.settled + len(progress.failing), message=counts(progress))

    def counts(redriven: Redriven) -> str:
        return f"{redriven.settled:,} settled, {len(redriven.failing):,} still failing"

    done = redrive(run.runtime, run.stop, on_progress)
    message = f"{counts(done)}." if done.settled or done.failing else "There are no dead letters."
    return message, {"settled": done.settled, "failing": len(done.failing)}


def _refill(run: _Run) -> tuple[str, dict[str, Any]]:
    done = refills.refill(run.runtime, refills.RefillOptions(), run.stop, _progress_of(run))
    summary = refills.summary(run.runtime.clock, done)
    deleted = counted(done.swept.deleted, "document")
    return f"{done.progress.items:,} items read, {deleted} without an item deleted.", summary


def _rebuild(run: _Run) -> tuple[str, dict[str, Any]]:
    built = rebuild(run.runtime, RebuildOptions(), run.stop, _progress_of(run))
    summary = refills.summary(run.runtime.clock, built.refilled) | {"index": built.name}
    return f"Searches use {built.name} now; the previous index is kept.", summary


def _rollback(run: _Run) -> tuple[str, dict[str, Any]]:
    before, now = roll_back(run.runtime.index, run.runtime.sync.index)
    return f"Searches use {now} now instead of {before}, which is kept.", {"before": before, "now": now}


_WORK: Mapping[str, Work] = {
    "verify": _verify, "redrive": _redrive, "rebuild": _rebuild, "rollback": _rollback, "refill": _refill,
}  # fmt: skip
NAMES = tuple(_WORK)


def _progress_of(run: _Run) -> OnProgress:
    def on_progress(progress: RefillProgress) -> None:
        message = f"{progress.items:,} items read: {progress.result}"
        run.update(done=progress.items, total=progress.total, message=message)

    return on_progress


class _MessageHandler(logging.Handler):
    """Shows each log record of an operation as its message."""

    def __init__(self, update: Callable[..., None]) -> None:
        super().__init__(logging.INFO)
        self._update = update

    def emit(self, record: logging.LogRecord) -> None:
        self._update(message=record.getMessage())


@contextmanager
def _logged_messages(run: _Run) -> Iterator[None]:
    """Show the log records of the rooms that only operations use in this process."""
    handler = _MessageHandler(run.update)
    loggers = [logging.getLogger(name) for name in ("dynadex.refill", "dynadex.verify")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
