"""`make bench`: every benchmark, a line each."""

from __future__ import annotations

import os
import platform

from bench import decode


def main() -> None:
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()} {platform.system()}")
    decode.main()


if __name__ == "__main__":
    main()
