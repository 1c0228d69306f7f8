"""No test depends on how fast the machine is: each wait has the limit of tests/waiting.py, no duration is bounded."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import waiting

TESTS = Path(__file__).parents[1]
# Folders where a clock is a fake, unless it is that of the module `time`.
WITH_FAKE_CLOCKS = {"unit", "property"}
CLOCK_CALLS = {"monotonic", "perf_counter", "time"}
# Methods whose only number is a limit.
WAITS = {"wait", "join", "result", "communicate", "acquire"}
LIMITS = {"timeout", "read_timeout", "deadline"}
# Each line that may break a rule, and why.
ALLOWED = {
    ("process/processes.py", "listener.join(_REST_SECONDS)"): "runs after a failure, and only completes its message",
    ("process/relay.py", "readable, _, _ = select.select([near, far], [], [], _POLL_SECONDS)"): "the pace of a loop",
    ("faults/proxy.py", "readable, _, _ = select.select([self.connection], [], [], _POLL_SECONDS)"): "the same",
    ("faults/soak.py", "while time.monotonic() < end:"): "the duration of the soak is its argument",
    ("faults/soak.py", "if time.monotonic() > outage_at:"): "the same",
    ("unit/test_stop_on_signals.py", "threading.Timer(0.1, signal.pthread_kill, (other.ident, number)).start()"): (
        "the signal may arrive before the wait or during it"
    ),
    ("relevance/test_relevance.py", "pytestmark = pytest.mark.timeout(3600)"): "an hour, more than the limit of pytest",
}  # fmt: skip


class Rules:
    """The rules about time, for one module."""

    def __init__(self, path: str, text: str) -> None:
        self._tree = ast.parse(text)
        self._has_fake_clocks = Path(path).parts[0] in WITH_FAKE_CLOCKS
        self._numbers = {
            target.id
            for node in self._tree.body
            if isinstance(node, ast.Assign) and _is_literal(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self._durations = {
            target.id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Assign) and self._is_duration(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        # `while not stop.wait(0.02)` is the pace of a loop, not a limit.
        self._paces = {
            call for node in ast.walk(self._tree) if isinstance(node, ast.While) for call in ast.walk(node.test)
        }

    def broken(self) -> Iterator[tuple[int, str]]:
        """Yield each line that breaks a rule, and the rule."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                for rule in self._broken_by_call(node):
                    yield node.lineno, rule
            elif isinstance(node, ast.Compare) and self._bounds_a_duration(node):
                yield node.lineno, "a duration has an upper bound"
            elif isinstance(node, ast.BinOp) and self._is_deadline(node):
                yield node.lineno, "a deadline is a number of seconds"

    def _broken_by_call(self, call: ast.Call) -> Iterator[str]:
        name, owner = _name(call.func), _owner(call.func)
        if name == "sleep" and (owner == "time" or (owner.endswith("clock") and not self._has_fake_clocks)):
            yield "a test sleeps: wait for a condition, or use let_pass"
        if name == "sleep" and isinstance(call.func, ast.Name):
            yield "a test sleeps: wait for a condition, or use let_pass"
        if name == "Timer":
            yield "a timer races the test"
        if name == "timeout" and owner == "mark":
            yield "a test has its own timeout"
        positional = call.args if name in WAITS else call.args[3:] if (owner, name) == ("select", "select") else []
        limits = [*positional, *(keyword.value for keyword in call.keywords if keyword.arg in LIMITS)]
        if call not in self._paces and any(self._is_number(limit) for limit in limits):
            yield "a wait has its own limit: use HANG_SECONDS"

    def _bounds_a_duration(self, comparison: ast.Compare) -> bool:
        operands = [comparison.left, *comparison.comparators]
        for left, operator, right in zip(operands, comparison.ops, operands[1:], strict=False):
            smaller = left if isinstance(operator, ast.Lt | ast.LtE) else right
            if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and self._has_a_time(smaller):
                return True
        return False

    def _is_deadline(self, operation: ast.BinOp) -> bool:
        is_sum = isinstance(operation.op, ast.Add) and isinstance(operation.left, ast.Call)
        return is_sum and self._is_clock_call(operation.left) and self._is_number(operation.right)

    def _has_a_time(self, expression: ast.expr) -> bool:
        return any(
            self._is_clock_call(node) or (isinstance(node, ast.Name) and node.id in self._durations)
            for node in ast.walk(expression)
        )

    def _is_duration(self, expression: ast.expr) -> bool:
        return any(
            any(map(self._is_clock_call, ast.walk(node)))
            for node in ast.walk(expression)
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)
        )

    def _is_clock_call(self, node: ast.AST) -> bool:
        """Whether it reads a real clock."""
        if not isinstance(node, ast.Call) or _name(node.func) not in CLOCK_CALLS:
            return False
        return _owner(node.func) == "time" or (not self._has_fake_clocks and _name(node.func) == "monotonic")

    def _is_number(self, expression: ast.expr) -> bool:
        return _is_literal(expression) or (isinstance(expression, ast.Name) and expression.id in self._numbers)


def _is_literal(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Constant) and type(expression.value) in (int, float)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _owner(function: ast.expr) -> str:
    return _name(function.value) if isinstance(function, ast.Attribute) else ""


@cache
def broken_in_tests() -> list[tuple[str, int, str, str]]:
    """Return path, line, its text, and the rule, for every broken rule."""
    broken = []
    for path in sorted(TESTS.rglob("*.py")):
        name, text = path.relative_to(TESTS).as_posix(), path.read_text(encoding="utf-8")
        if path not in (Path(__file__), Path(waiting.__file__)):
            for number, rule in Rules(name, text).broken():
                broken.append((name, number, text.splitlines()[number - 1].strip(), rule))
    return broken


def test_no_test_depends_on_the_speed_of_the_machine() -> None:
    broken = [f"{name}:{n}: {rule}: {line}" for name, n, line, rule in broken_in_tests() if (name, line) not in ALLOWED]
    assert broken == []


def test_every_exception_is_needed() -> None:
    assert ALLOWED.keys() <= {(name, line) for name, _, line, _ in broken_in_tests()}


@pytest.mark.parametrize(
    "code",
    [
        "time.sleep(1)",
        "sleep(1)",
        "runtime.clock.sleep(1)",
        "assert time.monotonic() - began < 2",
        "assert 1 < time.perf_counter() - began <= 2",
        "assert 2 > runtime.clock.monotonic() - began",
        "seconds = time.monotonic() - began\nassert seconds < 60",
        "while time.monotonic() < until: pass",
        "assert event.wait(10)",
        "LIMIT = 10.0\nthread.join(LIMIT)",
        "subprocess.run(command, timeout=60)",
        "expect(page).to_have_text('', timeout=5_000)",
        "write(index, writes, runtime.clock.monotonic() + 20)",
        "threading.Timer(1.0, act).start()",
        "@pytest.mark.timeout(30)\ndef test() -> None: ...",
        "@settings(deadline=200)\ndef test() -> None: ...",
    ],
)
def test_dependence_on_the_clock_is_reported(code: str) -> None:
    assert list(Rules("process/test_it.py", code).broken())


@pytest.mark.parametrize(
    "code",
    [
        "let_pass(1)",
        "assert time.monotonic() - began >= 1",
        "assert 0.5 <= time.time() - began",
        "while not stop.wait(0.02): pass",
        "subprocess.run(command, timeout=HANG_SECONDS)",
        "', '.join(names)",
        "print(time.monotonic() - began)",
        "@settings(deadline=None)\ndef test() -> None: ...",
    ],
)
def test_independence_of_the_clock_is_accepted(code: str) -> None:
    assert not list(Rules("process/test_it.py", code).broken())


def test_fake_clock_is_not_a_clock_of_the_machine() -> None:
    code = "clock.sleep(5)\nassert clock.monotonic() - began < 5\nwrite(clock.monotonic() + 5)"
    assert not list(Rules("unit/test_it.py", code).broken())


def test_wait_returns_the_result_and_names_what_did_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    results = iter([None, "", "ready"])
    assert waiting.wait_for(lambda: next(results), "a result", every_seconds=0) == "ready"
    monkeypatch.setattr(waiting, "HANG_SECONDS", 0.0)
    with pytest.raises(AssertionError, match="not within 0 s: a result"):
        waiting.wait_for(lambda: None, "a result")
    with pytest.raises(AssertionError, match="not within 0 s: an event"):
        waiting.wait_for_event(threading.Event(), "an event")
    proceed = threading.Event()
    thread = threading.Thread(target=proceed.wait, name="worker")
    thread.start()
    with pytest.raises(AssertionError, match="not within 0 s: the end of worker"):
        waiting.wait_for_end(thread)
    proceed.set()
    thread.join()


def test_time_passes_until_its_end_or_that_of_the_process() -> None:
    waiting.let_pass(0.001)
    lives = iter([True, False])
    waiting.let_pass(waiting.HANG_SECONDS, lambda: next(lives))
