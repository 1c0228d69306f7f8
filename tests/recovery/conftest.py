"""Backends of the recovery suite, and the line of figures it ends with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from dynadex.local.stack import LocalStack
from tests.recovery.figures import Figures

_FIGURES = pytest.StashKey[Figures]()
# `make recovery` sets 1: everything at full length.
SCALE = float(os.environ.get("RECOVERY_SCALE", "0.03"))


def scaled(full: int, least: int = 1) -> int:
    """How often something is done in this run."""
    return max(least, round(full * SCALE))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """What the whole run does; add to it."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """DynamoDB, its streams, Lambda, Step Functions and S3 on this machine."""
    with LocalStack(tmp_path_factory.mktemp("recovery-stack")) as running:
        yield running


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line, after pytest's own."""
    figures = config.stash.get(_FIGURES, None)
    if figures:
        config.get_terminal_writer().line(str(figures))


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A line that is seen although the test passes."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="", flush=True)

    return line
