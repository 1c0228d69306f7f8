"""Which part may import which, and how little a cold start costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dynadex

ROOT = Path(dynadex.__file__).parent
# What each room may import. Rooms are listed from the ground up: one may import only rooms above it in this list, so
# that none import each other in a circle. Imports inside functions count like any other.
VALUES = {"analysis", "change", "clock", "errors", "retry"}
MAY_IMPORT: dict[str, set[str]] = {
    "analysis": set(),
    "change": set(),
    "clock": set(),
    "errors": set(),
    "gc_tuning": set(),
    "retry": {"clock", "errors"},
    "document": {"change"},
    "declaration": {"analysis", "errors"},
    "settings": {"document", "errors"},
    "clients": {"document", "errors", "settings"},
    "sync": {"change", "declaration", "document", "errors"},
    "source": VALUES | {"document"},
    "dead_letters": {"change", "errors"},
    "state": {"clock", "document", "errors"},
    "index": VALUES | {"dead_letters", "document", "source"},
    "testing": {"clock", "declaration", "document", "errors", "index"},
    "search": {"analysis", "declaration", "document", "sync"},
    "runtime": VALUES | {"clients", "dead_letters", "document", "index", "settings", "source", "state", "sync"},
    "http": VALUES | {"declaration", "document", "index", "search", "source", "sync"},
}
# What runs a Sync: each of these may use all of the above, and of each other only what is named.
RUNS = VALUES | {"clients", "dead_letters", "declaration", "document", "gc_tuning", "index", "runtime", "settings"}
RUNS |= {"source", "state", "sync"}
MAY_IMPORT |= {
    "verify": RUNS,
    "refill": RUNS | {"verify"},
    "worker": RUNS | {"http"},
    "aws": RUNS | {"http", "refill"},
    "maintenance": RUNS | {"aws"},
    "scaffold": RUNS,
    "local": {"errors"},
}
# The two programs at the top: nothing imports them, except that the command line starts the demo.
MAY_IMPORT["demo"] = set(MAY_IMPORT)
MAY_IMPORT["cli"] = set(MAY_IMPORT)
# Names that the package exports, and the packages that define them.
FACE = {
    "dynadex.Sync": "sync",
    "dynadex.Search": "declaration",
    "dynadex.DynadexError": "errors",
    "dynadex.__version__": "",
}
HEAVY = ("boto3", "botocore", "opensearchpy", "rich", "starlette", "typer")
MAX_LINES = 300
# Whole processes, the interpreter's own start included: processor time as a multiple of the time that importing
# asyncio takes, measured in turn, so that no machine is too slow for it; and memory.
BASELINE = "asyncio"
MAX_TIMES_BASELINE = {"dynadex": 2.5, "dynadex.aws.deployed": 3, "dynadex.aws.connection": 5.5}
MAX_MEGABYTES = {"dynadex": 22, "dynadex.aws.deployed": 22, "dynadex.aws.connection": 32}
MEASURED = """
import time, {module}
from pathlib import Path
seconds = time.process_time()
[line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
print(seconds, line.split()[1])
"""


def modules() -> Iterator[tuple[str, Path]]:
    """Yield every module with its package, or with its own name at the top level."""
    for path in sorted(ROOT.rglob("*.py")):
        inside = path.relative_to(ROOT)
        if inside.parts[0] not in ("__init__.py", "__main__.py"):
            yield inside.parts[0].removesuffix(".py"), path


def imported(path: Path) -> set[str]:
    """Return the packages that a module imports anywhere."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {FACE.get(name, name.split(".")[1]) for name in names if name.startswith("dynadex.")}
    return rooms - {""}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_room_imports_only_what_its_row_allows(room: str) -> None:
    paths = [path for name, path in modules() if name == room]
    assert paths
    assert {path.name: extra for path in paths if (extra := imported(path) - {room} - MAY_IMPORT[room])} == {}


def test_every_room_has_a_row() -> None:
    assert {name for name, _ in modules()} == set(MAY_IMPORT)


def test_rows_form_no_circle() -> None:
    rooms = list(MAY_IMPORT)
    upward = {room: [other for other in MAY_IMPORT[room] if rooms.index(other) >= rooms.index(room)] for room in rooms}
    assert {room: others for room, others in upward.items() if others} == {}


def test_rows_allow_nothing_that_no_module_uses() -> None:
    used = {
        room: {other for name, path in modules() if name == room for other in imported(path)} for room in MAY_IMPORT
    }
    shared = VALUES | RUNS
    unused = {room: row - used[room] - shared for room, row in MAY_IMPORT.items() if room not in ("cli", "demo")}
    assert {room: others for room, others in unused.items() if others} == {}


def test_module_is_at_most_300_lines_long() -> None:
    lengths = {path.relative_to(ROOT): path.read_text(encoding="utf-8").count("\n") for _, path in modules()}
    assert {str(path): lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_class_name_stands_once() -> None:
    places: dict[str, list[str]] = {}
    for _, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_only_clients_makes_a_client() -> None:
    """Only one module has endpoints, signing and timeouts; the others may use the SDKs' errors and types."""
    made = set()
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "OpenSearch",
                "boto3.client",
                "boto3.session.Session",
            ):
                made.add(name)
    assert made == {"clients"}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("dynadex", HEAVY),
        ("dynadex.aws", HEAVY),
        # A handler needs boto3's errors on import, and both SDKs only when it is first called.
        ("dynadex.aws.connection", [name for name in HEAVY if name != "botocore"]),
        ("dynadex.declaration", HEAVY),
        ("dynadex.testing", [name for name in HEAVY if name != "botocore"]),
    ],
)
def test_an_import_brings_nothing_heavy_with_it(module: str, heavy: list[str]) -> None:
    loaded = run(f"import sys, {module}; print('\\n'.join(sys.modules))").split()
    assert module in loaded
    assert not set(heavy) & set(loaded)


@pytest.mark.parametrize("module", MAX_MEGABYTES)
def test_cold_start_stays_below_its_ceilings(module: str) -> None:
    """Nothing is connected yet: both SDKs are imported, and clients made, at the first call."""
    baseline, measured = [], []
    for _ in range(5):
        baseline.append(float(run(MEASURED.format(module=BASELINE)).split()[0]))
        measured.append(run(MEASURED.format(module=module)).split())
    assert min(float(seconds) for seconds, _ in measured) / min(baseline) < MAX_TIMES_BASELINE[module]
    assert min(float(kilobytes) for _, kilobytes in measured) / 1024 < MAX_MEGABYTES[module]
