"""Run all tests on a slow machine: ``make stress``. First next to two busy loops per processor, then on one processor.

No test may depend on the speed of the machine, so both runs must pass.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

LOOPS_PER_PROCESSOR = 2


def main() -> int:
    processors = os.sched_getaffinity(0)
    loops = LOOPS_PER_PROCESSOR * len(processors)
    failures = run(f"next to {loops} busy loops", loops)
    os.sched_setaffinity(0, {min(processors)})
    failures += run("on one processor", 0)
    return int(failures > 0)


def run(circumstances: str, loops: int) -> int:
    print(f"=== all tests {circumstances}", flush=True)
    with busy(loops) if loops else nullcontext():
        exit_code = subprocess.run((sys.executable, "-m", "tests.run_all"), check=False).returncode
    print(f"=== all tests {circumstances}: {'failed' if exit_code else 'passed'}", flush=True)
    return int(exit_code != 0)


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep processors busy within the block."""
    processes = [multiprocessing.Process(target=_loop, daemon=True) for _ in range(loops)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def _loop() -> None:
    while True:
        pass


if __name__ == "__main__":
    sys.exit(main())
