"""Imports between the parts of the package, and the cost of a cold start."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dynadex

ROOT = Path(dynadex.__file__).parent
# What each room imports. Rooms are listed from the ground up: one may import only rooms above it in this list, so that
# none import each other in a circle. Imports inside functions count like any other.
IMPORTS: dict[str, set[str]] = {
    "analysis": set(),
    "change": set(),
    "clock": set(),
    "errors": set(),
    "gc_tuning": set(),
    "text": set(),
    "retry": {"clock", "errors"},
    "document": {"change"},
    "declaration": {"analysis", "errors"},
    "settings": {"document", "errors"},
    "clients": {"document", "errors", "settings"},
    "sync": {"change", "declaration", "document", "errors"},
    "source": {"change", "clock", "document", "errors", "retry"},
    "dead_letters": {"change", "errors"},
    "state": {"clock", "document", "errors"},
    "index": {"change", "clock", "dead_letters", "document", "errors", "retry", "source"},
    "opensearch": {"errors", "text"},
    "local": {"clock", "errors", "opensearch"},
    "testing": {"clock", "declaration", "document", "errors", "index", "local", "opensearch"},
    "search": {"analysis", "declaration", "document", "sync"},
    "runtime": {
        "clients",
        "clock",
        "dead_letters",
        "document",
        "errors",
        "index",
        "settings",
        "source",
        "state",
        "sync",
    },
    "http": {"change", "clock", "declaration", "document", "errors", "index", "search", "source", "sync"},
    "verify": {
        "change",
        "clock",
        "document",
        "errors",
        "gc_tuning",
        "index",
        "retry",
        "runtime",
        "settings",
        "source",
        "state",
        "sync",
    },
    "refill": {
        "change",
        "clients",
        "clock",
        "declaration",
        "document",
        "errors",
        "gc_tuning",
        "index",
        "retry",
        "runtime",
        "source",
        "state",
        "verify",
    },
    "worker": {
        "clients",
        "clock",
        "dead_letters",
        "document",
        "errors",
        "gc_tuning",
        "http",
        "index",
        "retry",
        "runtime",
        "settings",
        "source",
        "state",
        "sync",
        "text",
    },
    "aws": {"document", "errors", "http", "index", "refill", "runtime", "settings", "source", "state", "sync"},
    "maintenance": {
        "aws",
        "change",
        "clients",
        "clock",
        "dead_letters",
        "document",
        "errors",
        "index",
        "runtime",
        "state",
    },
    "scaffold": {
        "analysis",
        "change",
        "clock",
        "declaration",
        "document",
        "errors",
        "index",
        "runtime",
        "settings",
        "source",
        "sync",
        "text",
    },
    "demo": {
        "analysis",
        "change",
        "clients",
        "clock",
        "dead_letters",
        "declaration",
        "document",
        "errors",
        "http",
        "index",
        "local",
        "maintenance",
        "refill",
        "retry",
        "runtime",
        "search",
        "settings",
        "source",
        "state",
        "sync",
        "text",
        "verify",
        "worker",
    },
    "cli": {
        "aws",
        "clients",
        "clock",
        "declaration",
        "demo",
        "errors",
        "http",
        "index",
        "local",
        "maintenance",
        "opensearch",
        "refill",
        "runtime",
        "scaffold",
        "settings",
        "sync",
        "text",
        "verify",
        "worker",
    },
    "__init__": {"declaration", "errors", "sync"},
    "__main__": {"cli"},
}
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
        yield path.relative_to(ROOT).parts[0].removesuffix(".py"), path


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


@pytest.mark.parametrize("room", IMPORTS)
def test_room_imports_what_its_row_states(room: str) -> None:
    paths = [path for name, path in modules() if name == room]
    assert paths
    assert {path.name: extra for path in paths if (extra := imported(path) - {room} - IMPORTS[room])} == {}
    assert IMPORTS[room] - set[str]().union(*map(imported, paths)) == set(), "no module imports these"


def test_every_room_has_a_row() -> None:
    assert {name for name, _ in modules()} == set(IMPORTS)


def test_rows_form_no_circle() -> None:
    rooms = list(IMPORTS)
    upward = {room: [other for other in IMPORTS[room] if rooms.index(other) >= rooms.index(room)] for room in rooms}
    assert {room: others for room, others in upward.items() if others} == {}


def test_module_is_at_most_300_lines_long() -> None:
    lengths = {path.relative_to(ROOT): path.read_text(encoding="utf-8").count("\n") for _, path in modules()}
    assert {str(path): lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_class_name_is_unique() -> None:
    places: dict[str, list[str]] = {}
    for _, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_only_one_module_creates_clients() -> None:
    """Only one module has endpoints, signing and timeouts; the others may use the SDKs' errors and types."""
    creators = set()
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "OpenSearch",
                "boto3.client",
                "boto3.session.Session",
            ):
                creators.add(name)
    assert creators == {"clients"}


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
def test_import_loads_no_heavy_package(module: str, heavy: list[str]) -> None:
    loaded = run(f"import sys, {module}; print('\\n'.join(sys.modules))").split()
    assert module in loaded
    assert not set(heavy) & set(loaded)


@pytest.mark.parametrize("module", MAX_MEGABYTES)
def test_cold_start_is_within_its_limits(module: str) -> None:
    """Nothing is connected yet: both SDKs are imported, and clients created, at the first call."""
    baseline, measured = [], []
    for _ in range(5):
        baseline.append(float(run(MEASURED.format(module=BASELINE)).split()[0]))
        measured.append(run(MEASURED.format(module=module)).split())
    assert min(float(seconds) for seconds, _ in measured) / min(baseline) < MAX_TIMES_BASELINE[module]
    assert min(float(kilobytes) for _, kilobytes in measured) / 1024 < MAX_MEGABYTES[module]
