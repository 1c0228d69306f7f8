"""Backends of the fault suite, and the lines of figures at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dynadex.local.engine import Engine
from dynadex.local.stack import LocalStack
from dynadex.testing.opensearch import OpenSearchNode
from tests.faults.stage import Figures

_FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Figures of the whole run, to which each test adds."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory, report_backend: Callable[[str], None]) -> Iterator[OpenSearchNode]:
    """A separate OpenSearch node, because tests kill it."""
    with OpenSearchNode(tmp_path_factory.mktemp("faults-opensearch")) as node:
        report_backend(f"opensearch {node.version} (killed and restarted)")
        yield node


@pytest.fixture(scope="session")
def dynamodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DynamoDB, its streams and SQS on this machine."""
    # A URL keeps the stack from starting a search cluster, which this suite does not use.
    with LocalStack(tmp_path_factory.mktemp("faults-stack"), engine=Engine.MEMORY) as stack:
        yield stack.endpoints.dynamodb


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print how often each fault occurred and then the totals, after pytest's own lines."""
    figures = config.stash.get(_FIGURES, None)
    if figures and figures.comparisons:
        writer = config.get_terminal_writer()
        for kind, times in sorted(figures.faults.items()):
            writer.line(f"{times:6,} x {kind}")
        writer.line(str(figures))
