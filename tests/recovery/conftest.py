"""Backends of the recovery suite, and the line of figures at its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from tests.recovery.figures import Figures

_FIGURES = pytest.StashKey[Figures]()
# `make recovery` sets 1: everything at full length.
SCALE = float(os.environ.get("RECOVERY_SCALE", "0.03"))


def scaled(full: int, min_count: int = 1) -> int:
    """Return a count of the full suite, scaled to this run."""
    return max(min_count, round(full * SCALE))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Figures of the whole run, to which each test adds."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """DynamoDB, its streams, Lambda, Step Functions and S3 on this machine."""
    with LocalStack(tmp_path_factory.mktemp("recovery-stack"), engine=Engine.MEMORY) as running:
        yield running


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the figures after pytest's own lines."""
    figures = config.stash.get(_FIGURES, None)
    if figures:
        config.get_terminal_writer().line(str(figures))


@pytest.fixture
def print_line(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a line even if the test passes."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return line
