"""Operations at the push of a button: verify, redrive, rebuild, rollback and refill, one at a time, in a thread.

Each calls what its command calls; this only starts it, and keeps how far it is.
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
from dynadex.verify import verify as verifies
from dynadex.verify.result import counted

_STOP_SECONDS = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation that runs, or ran last. ``state``: running, done or failed. ``done`` of about ``total`` items
    (None: not known); ``message`` is for people, ``result`` its end in numbers."""

    name: str
    state: str = "running"
    done: int = 0
    total: int | None = None
    message: str = ""
    result: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As the live view is told."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Run:
    """What an operation is given: its own connections, when to stop, and where to say how far it is."""

    runtime: Runtime
    stop: threading.Event
    tell: Callable[..., None]


# What it came to, in words for people and in numbers.
Work = Callable[[_Run], tuple[str, dict[str, Any]]]


class Operations:
    """Starts operations. ``connect`` makes a runtime whose clock is the one given."""

    def __init__(self, connect: Callable[[Clock], Runtime]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._stopped = False
        # One for each operation: a refill that fails sets it, to stop its other threads.
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._operation: Operation | None = None

    def start(self, name: str) -> bool:
        """Start one; False when one runs already. Raises KeyError for a name that is none."""
        work = _WORK[name]
        with self._lock:
            if self._stopped or (self._operation and self._operation.state == "running"):
                return False
            self._operation = Operation(name)
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._work, args=(work, self._stop), name=name, daemon=True)
            self._thread.start()
        return True

    def now(self) -> Operation | None:
        """The one that runs, or ran last."""
        with self._lock:
            return self._operation

    def stop(self) -> None:
        """End what runs, and start nothing more. What was begun can be gone on with by its command."""
        with self._lock:
            self._stopped = True
            self._stop.set()
        if self._thread:
            self._thread.join(_STOP_SECONDS)

    def _work(self, work: Work, stop: threading.Event) -> None:
        try:
            run = _Run(self._connect(StoppableClock(stop)), stop, self._tell)
            with _messages_of(run):
                message, result = work(run)
            self._tell(state="done", message=message, result=result)
        except Stopping:
            self._tell(state="failed", message="Stopped before its end.")
        except DynadexError as error:
            self._tell(state="failed", message=str(error))
        except Exception:  # noqa: BLE001 - the thread's end must be told, whatever it was
            _log.exception("operation failed")
            self._tell(state="failed", message="It failed for a reason that nobody foresaw: see the log.")

    def _tell(self, **changes: Any) -> None:
        with self._lock:
            assert self._operation is not None
            self._operation = replace(self._operation, **changes)


def _verify(run: _Run) -> tuple[str, dict[str, Any]]:
    def on_progress(now: verifies.VerifyProgress) -> None:
        words = f"{now.items:,} items compared, {counted(now.differences, 'difference')}"
        run.tell(done=now.items, total=now.total, message=words)

    index = searched_index(run.runtime.index, run.runtime.sync.index)
    report = verifies.VerifyReport(on_progress=on_progress)
    verified = verifies.verify(run.runtime, index, verifies.VerifyOptions(), report)
    verifies.remember(run.runtime, verified)
    compared = f"{verified.items:,} items and {verified.documents:,} documents compared"
    found = verified.remaining.total()
    words = "the index equals its table" if verified.equal else f"{counted(found, 'difference')} found"
    return f"{compared}: {words}.", verified.summary()


def _redrive(run: _Run) -> tuple[str, dict[str, Any]]:
    def on_progress(now: Redriven) -> None:
        run.tell(done=now.settled + len(now.failing), message=told(now))

    def told(now: Redriven) -> str:
        return f"{now.settled:,} settled, {len(now.failing):,} still failing"

    done = redrive(run.runtime, run.stop, on_progress)
    nothing = not done.settled and not done.failing
    return "Nothing is dead-lettered." if nothing else f"{told(done)}.", {
        "settled": done.settled,
        "failing": len(done.failing),
    }


def _refill(run: _Run) -> tuple[str, dict[str, Any]]:
    done = refills.refill(run.runtime, refills.RefillOptions(), run.stop, _progress_of(run))
    summary = refills.summary(run.runtime.clock, done)
    deleted = counted(done.swept.deleted, "document")
    return f"{done.progress.items:,} items read, {deleted} without an item deleted.", summary


def _rebuild(run: _Run) -> tuple[str, dict[str, Any]]:
    built = rebuild(run.runtime, RebuildOptions(), run.stop, _progress_of(run))
    summary = refills.summary(run.runtime.clock, built.refilled) | {"index": built.name}
    return f"Searches use {built.name} now; the index before is kept.", summary


def _rollback(run: _Run) -> tuple[str, dict[str, Any]]:
    before, now = roll_back(run.runtime.index, run.runtime.sync.index)
    return f"Searches use {now} now, no longer {before}, which is kept.", {"before": before, "now": now}


_WORK: Mapping[str, Work] = {
    "verify": _verify, "redrive": _redrive, "rebuild": _rebuild, "rollback": _rollback, "refill": _refill,
}  # fmt: skip
NAMES = tuple(_WORK)


def _progress_of(run: _Run) -> OnProgress:
    def on_progress(now: RefillProgress) -> None:
        run.tell(done=now.items, total=now.total, message=f"{now.items:,} items read: {now.result}")

    return on_progress


class _Messages(logging.Handler):
    """Shows what an operation logs as its message."""

    def __init__(self, tell: Callable[..., None]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(message=record.getMessage())


@contextmanager
def _messages_of(run: _Run) -> Iterator[None]:
    """Show what the rooms log that only operations use in this process."""
    handler = _Messages(run.tell)
    loggers = [logging.getLogger(name) for name in ("dynadex.refill", "dynadex.verify")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
