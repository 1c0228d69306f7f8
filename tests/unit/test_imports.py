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
# Values, time, errors and checks that know nothing of tables and clusters.
COMMON = {"change", "clock", "counted", "errors", "declaration", "settings"}
MAY_IMPORT: dict[str, set[str]] = {
    "change": set(),
    "clock": set(),
    "counted": set(),
    "errors": set(),
    "document": {"change", "document"},
    "source": COMMON | {"document", "source"},
    "index": COMMON | {"document", "index"},
    "progress": COMMON | {"document", "progress"},
    "analysis": set(),
    "declaration": {"analysis", "errors"},
    "settings": {"document", "errors"},
    "sync": COMMON | {"document", "source", "run"},
}
WIRING = {"run", "start", "cli", "local", "search", "demo", "testing", "clients"}
# run is named by Sync's two Lambda handlers alone, and only when they are called.
LATE = {("sync", "run")}
HEAVY = ("boto3", "botocore", "opensearchpy", "rich", "starlette", "typer")
# Whole processes: the interpreter's own start is in it.
MOST_CPU_SECONDS = 0.25
MOST_MEGABYTES = {"dynadex": 22, "dynadex.run.function": 22, "dynadex.run.lambda_handlers": 32}
MEASURED = """
import time, {module}
from pathlib import Path
seconds = time.process_time()
[line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
print(seconds, line.split()[1])
"""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module, with the part it belongs to: a package's name, or its own."""
    for path in sorted(ROOT.rglob("*.py")):
        inside = path.relative_to(ROOT)
        if inside.parts[0] not in ("__init__.py", "__main__.py"):
            yield inside.parts[0].removesuffix(".py"), path


def imported(path: Path, *, late: bool = True) -> set[str]:
    """The parts of dynadex that a module imports; without ``late`` only those imported with it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [] if late else [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = {id(node) for function in functions for node in ast.walk(function)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("dynadex.")}
    return found


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_it_may(part: str) -> None:
    paths = [path for name, path in modules() if name == part]
    assert paths
    for path in paths:
        assert imported(path) <= MAY_IMPORT[part], path
        assert not {(part, one) for one in imported(path, late=False)} & LATE, path


@pytest.mark.parametrize("part", ["source", "index", "progress"])
def test_source_index_and_progress_never_import_each_other(part: str) -> None:
    others = {"source", "index", "progress"} - {part}
    assert {
        path.name: imported(path) & others for name, path in modules() if name == part and imported(path) & others
    } == {}


def test_every_part_is_known_here() -> None:
    assert {name for name, _ in modules()} == set(MAY_IMPORT) | WIRING


def test_only_clients_makes_a_client() -> None:
    """The one place with endpoints, signing and time-outs; the rest may name the SDKs' errors, and types."""
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
        # A handler needs boto3's errors at once, and both SDKs only when it is first called.
        ("dynadex.run.lambda_handlers", [name for name in HEAVY if name != "botocore"]),
        ("dynadex.declaration", HEAVY),
        ("dynadex.testing", [name for name in HEAVY if name != "botocore"]),
    ],
)
def test_an_import_brings_nothing_heavy_with_it(module: str, heavy: list[str]) -> None:
    loaded = run(f"import sys, {module}; print('\\n'.join(sys.modules))").split()
    assert module in loaded
    assert not set(heavy) & set(loaded)


@pytest.mark.parametrize("module", MOST_MEGABYTES)
def test_a_cold_start_stays_below_its_ceilings(module: str) -> None:
    """Processor time, the least of some: it is not for others that the machine is busy with. Nothing is connected yet:
    both SDKs are imported, and clients made, at the first call."""
    measured = [run(MEASURED.format(module=module)).split() for _ in range(4)]
    assert min(float(seconds) for seconds, _ in measured) < MOST_CPU_SECONDS
    assert min(float(kilobytes) for _, kilobytes in measured) / 1024 < MOST_MEGABYTES[module]
