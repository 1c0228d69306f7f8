"""Progress of long work on standard error: a progress bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from dynadex.cli.output import redirect_lines, say
from dynadex.clock import SystemClock

_LINE_SECONDS = 5.0


class Bar:
    """A progress bar. If standard error is not a terminal, it prints lines instead."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._clock = SystemClock()
        self._live = console.is_terminal
        self._started_at = self._line_at = self._clock.monotonic()
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
        """Show the progress: items done, their approximate total (None if unknown), and a detail as text.

        The first call defines where the work starts, which the rate is based on.
        """
        now = self._clock.monotonic()
        if self._first is None:
            self._first, self._started_at = done, now
        rate = (done - self._first) / max(now - self._started_at, 0.001)
        # The count of DynamoDB is an estimate, which the number of items done may exceed.
        total = max(done, total) if total else None
        counts = f"{done:,} of about {total:,} items" if total else f"{done:,} items"
        self._last = f"{counts}, {rate:,.0f} items/s: {detail}"
        self._bar.update(self._task, completed=done, total=total, counts=f"{counts}, {rate:,.0f}/s", detail=detail)
        if not self._live and now - self._line_at >= _LINE_SECONDS:
            self._line_at = now
            remaining = f", about {(total - done) / rate:,.0f} s left" if total and rate and done < total else ""
            say(self._last + remaining)

    def print_above(self, line: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(line, markup=False, highlight=False)

    @property
    def live(self) -> bool:
        """Whether a bar is shown: only on a terminal, and until it is closed."""
        return self._live

    def start(self) -> None:
        """Show the bar."""
        self._bar.start()

    def close(self, line: str = "") -> None:
        """Remove the bar, and print its last state and another line. Only the first call has an effect."""
        if self._open:
            self._open = False
            self._bar.stop()
            self._live = False
            for text in filter(None, (self._last, line)):
                say(text)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """Show a progress bar until the block ends."""
    bar = Bar()
    bar.start()
    try:
        with redirect_lines(bar.print_above) if bar.live else nullcontext():
            yield bar
    finally:
        bar.close()
