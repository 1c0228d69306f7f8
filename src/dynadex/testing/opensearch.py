"""A pytest plugin with a real node of OpenSearch for your own tests.

Add it to the conftest.py in the root folder of your tests::

    pytest_plugins = ["dynadex.testing.opensearch"]

Then a test takes the fixture ``opensearch_node`` (an `OpenSearchNode`) or ``opensearch_url``. The node starts for the
first test that uses it and is shared by all tests of the session. If OPENSEARCH_URL is set, or the option
``--opensearch-url``, then ``opensearch_url`` is that cluster, and no node starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dynadex.opensearch.release import DEFAULT
from dynadex.testing.opensearch_node import OpenSearchNode

__all__ = ["OpenSearchNode", "opensearch_node", "opensearch_url"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("dynadex")
    group.addoption("--opensearch-version", default=DEFAULT, help=f"Version of OpenSearch to start. Default: {DEFAULT}")
    group.addoption("--opensearch-url", help="URL of a running OpenSearch. Default: OPENSEARCH_URL, or start a node")


@pytest.fixture(scope="session")
def opensearch_node(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchNode]:
    """A running node with an empty cluster at the beginning of the session."""
    version: str = pytestconfig.getoption("--opensearch-version")
    with OpenSearchNode(tmp_path_factory.mktemp("opensearch"), version=version) as node:
        yield node


@pytest.fixture(scope="session")
def opensearch_url(request: pytest.FixtureRequest) -> str:
    """URL of the cluster that the option or OPENSEARCH_URL names, or of ``opensearch_node``."""
    url: str | None = request.config.getoption("--opensearch-url") or os.environ.get("OPENSEARCH_URL")
    if url:
        return url
    node: OpenSearchNode = request.getfixturevalue("opensearch_node")
    return node.url
