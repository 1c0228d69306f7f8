"""A real search cluster for benchmarks: the one OPENSEARCH_URL names, or a node of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.opensearch_node import OpenSearchNode


@contextmanager
def search_cluster() -> Iterator[str]:
    """Its URL, for as long as it is entered."""
    url = os.environ.get("OPENSEARCH_URL")
    if url:
        yield url
        return
    with TemporaryDirectory(prefix="bench-node-") as home, OpenSearchNode(Path(home)) as node:
        yield node.url
