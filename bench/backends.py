"""What benchmarks run against: a real search cluster (OPENSEARCH_URL's, or a node of our own), and made-up tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.made_up import made_up_table
from dynadex import Sync, clients
from dynadex.demo.lessons import MAPPINGS, SETTINGS
from dynadex.local.demo import create_table
from dynadex.local.stack import LocalStack
from dynadex.settings import Settings
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


@contextmanager
def made_up(name: str, items: int) -> Iterator[tuple[Sync, Settings]]:
    """A sync of that name whose table holds so many songs, and the settings to use it with."""
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        search_cluster() as url,
        LocalStack(Path(directory), opensearch_url=url) as stack,
        made_up_table(stack.endpoints.dynamodb, name, items) as table_url,
    ):
        create_table(clients.dynamodb(Settings(dynamodb_url=stack.endpoints.dynamodb)), name)
        settings = Settings(dynamodb_url=table_url, opensearch_url=url, dead_letters=f"file:{directory}/letters")
        yield Sync(table=name, index=name, mappings=MAPPINGS, settings=SETTINGS), settings
