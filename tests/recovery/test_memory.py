"""The memory of backfill and verify does not grow with the table."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dynadex.local.stack import LocalStack
from tests.process.processes import environment
from tests.process.scene import REFERENCE, Scene
from tests.recovery.conftest import SCALE
from tests.recovery.figures import Figures
from tests.songs import all_songs

SMALL = 10_000
FACTOR = 20
# Runs the command in this interpreter, then prints the peak memory of the process. Read from VmHWM, because the value
# of getrusage includes the memory of the parent process.
_MEASURED = """
import sys
from pathlib import Path
from dynadex.cli import app
code = 0
try:
    app(sys.argv[1:])
except SystemExit as error:
    code = error.code or 0
[line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
print("peak", int(line.split()[1]) / 1024)
sys.exit(code)
"""


def test_memory_is_constant_at_20_times_the_items(
    stack: LocalStack, opensearch_url: str, tmp_path: Path, figures: Figures, print_line: Callable[[str], None]
) -> None:
    """The short run divides the sizes of tables and pages by 50, and still compares one full page with many."""
    small = SMALL if SCALE >= 1 else SMALL // 50
    peaks: dict[str, list[float]] = {"refill": [], "verify": []}
    for items in (small, small * FACTOR):
        (tmp_path / str(items)).mkdir()
        scene = Scene(tmp_path / str(items), f"memory-{items}", stack.endpoints.dynamodb, opensearch_url)
        scene.create_table()
        scene.load(many(items))
        for command, measured in peaks.items():
            measured.append(peak_megabytes(scene, command, page_items=small // 10))
        scene.dynamodb.delete_table(TableName=scene.name)
        scene.close()
    ratios = tuple(round(large / little, 3) for little, large in peaks.values())
    print_line(f"memory at {small:,} and {small * FACTOR:,} items: {peaks} MB, ratios {ratios}")
    assert max(ratios) <= 1.2
    # Different commands need different amounts, unless something else was measured.
    assert len({peak for measured in peaks.values() for peak in measured}) > 1
    figures.memory_ratios = ratios


def many(items: int) -> Iterator[dict[str, Any]]:
    """Yield songs repeatedly, each with another id."""
    songs = all_songs()
    for n in itertools.islice(itertools.count(), items):
        song = songs[n % len(songs)]
        yield {**song, "id": f"{song['id']}/{n // len(songs)}"}


def peak_megabytes(scene: Scene, command: str, page_items: int) -> float:
    """Run a command, which must succeed; return its peak memory."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, command, REFERENCE],
        cwd=scene.directory,
        env=environment(**scene.variables, PYTHONPATH=str(scene.directory), DYNADEX_REFILL_PAGE_SIZE=str(page_items)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return float(done.stdout.split()[-1])
