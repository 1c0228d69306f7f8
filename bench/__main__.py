"""`make bench`: run every benchmark, or those named (`ARGS="decode refill"`), and print a line per result."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import catch_up, cost, decode, growth, lag, refill, suggest

BENCHMARKS: dict[str, Callable[[], Iterator[str]]] = {
    "decode": decode.main,
    "refill": refill.main,
    "catch-up": catch_up.main,
    "lag": lag.main,
    "cost": cost.main,
    "growth": growth.main,
    "suggest": suggest.main,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        raise SystemExit(f"Unknown benchmarks: {', '.join(sorted(unknown))}. Choose from {', '.join(BENCHMARKS)}.")
    print(f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} processors ({_model()})")
    for name in names or BENCHMARKS:
        for line in BENCHMARKS[name]():
            print(line, flush=True)


def _model() -> str:
    """Return the model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


if __name__ == "__main__":
    main(sys.argv[1:])
