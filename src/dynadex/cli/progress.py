"""Progress of long work on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from dynadex.cli.output import lines_through, say
from dynadex.clock import SystemClock

_LINE_SECONDS = 5.0


class Bar:
    """What to update. ``done`` and ``total`` are items; ``detail`` is in words."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._clock = SystemClock()
        self._live = console.is_terminal
        self._started_at = self._told_at = self._clock.monotonic()
        self._first: int | None = None
        self._bar = Progress(
            TextColumn("{task.fields[counts]}"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            disable=not self._live,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, counts="", detail="")
        self._last = ""
        self._open = True

    def update(self, done: int, total: int | None, detail: str) -> None:
        """Show where the work is; the first call says where it begins."""
        now = self._clock.monotonic()
        if self._first is None:
            self._first, self._started_at = done, now
        rate = (done - self._first) / max(now - self._started_at, 0.001)
        # DynamoDB's own count is an estimate: what is done can be more.
        total = max(done, total) if total else None
        counts = f"{done:,} of about {total:,} items" if total else f"{done:,} items"
        self._last = f"{counts}, {rate:,.0f} items/s: {detail}"
        self._bar.update(self._task, completed=done, total=total, counts=f"{counts}, {rate:,.0f}/s", detail=detail)
        if not self._live and now - self._told_at >= _LINE_SECONDS:
            self._told_at = now
            remaining = f", about {(total - done) / rate:,.0f} s left" if total and rate and done < total else ""
            say(self._last + remaining)

    def print_above(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(line, markup=False, highlight=False)

    @property
    def live(self) -> bool:
        """Whether a bar is drawn: not where standard error is no terminal, and not once it is closed."""
        return self._live

    def start(self) -> None:
        self._bar.start()

    def close(self, line: str = "") -> None:
        """Take the bar away; the last state stays as a line, and another may follow. Once only."""
        if self._open:
            self._open = False
            self._bar.stop()
            self._live = False
            for told in filter(None, (self._last, line)):
                say(told)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar for as long as the block runs."""
    bar = Bar()
    bar.start()
    try:
        with lines_through(bar.print_above) if bar.live else nullcontext():
            yield bar
    finally:
        bar.close()
