"""What benchmarks run against: a real search cluster (OPENSEARCH_URL's, or a node of our own), and made-up tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.made_up import made_up_table
from dynadex import Sync, clients
from dynadex.demo.demo import create_table
from dynadex.demo.lessons import MAPPINGS, SETTINGS
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from tests.opensearch_node import OpenSearchNode


@contextmanager
def search_cluster(*, apart: bool = False) -> Iterator[str]:
    """Its URL, for as long as it is entered. ``apart``: ours has a processor that nobody else here uses meanwhile."""
    url = os.environ.get("OPENSEARCH_URL")
    if url:
        yield url
        return
    ours = os.sched_getaffinity(0)
    with TemporaryDirectory(prefix="bench-node-") as home:
        if apart:
            # What is started now keeps it.
            os.sched_setaffinity(0, {min(ours)})
        try:
            with OpenSearchNode(Path(home)) as node:
                if apart:
                    os.sched_setaffinity(0, ours - {min(ours)})
                yield node.url
        finally:
            os.sched_setaffinity(0, ours)


def can_be_apart() -> bool:
    """Whether a cluster of ours can have a processor of its own."""
    return "OPENSEARCH_URL" not in os.environ and len(os.sched_getaffinity(0)) > 1


@contextmanager
def made_up(name: str, items: int, *, apart: bool = False) -> Iterator[tuple[Sync, RuntimeSettings]]:
    """A sync of that name whose table holds so many songs, and the settings to use it with."""
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        search_cluster(apart=apart) as url,
        LocalStack(Path(directory), opensearch_url=url) as stack,
        made_up_table(stack.endpoints.dynamodb, name, items) as table_url,
    ):
        create_table(clients.dynamodb(RuntimeSettings(dynamodb_url=stack.endpoints.dynamodb)), name)
        settings = RuntimeSettings(dynamodb_url=table_url, opensearch_url=url, dead_letters=f"file:{directory}/letters")
        yield Sync(table=name, index=name, mappings=MAPPINGS, settings=SETTINGS), settings
