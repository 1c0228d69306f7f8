"""Backends of the benchmarks: a real search cluster (OPENSEARCH_URL, or a node started here) and synthetic tables."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.synthetic_table import synthetic_table
from dynadex import Sync, clients
from dynadex.demo.demo import create_table
from dynadex.demo.lessons import MAPPINGS, SETTINGS
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from dynadex.testing.opensearch import OpenSearchNode


@contextmanager
def search_cluster(*, separate_processor: bool = False) -> Iterator[str]:
    """Yield the URL of a search cluster.

    With ``separate_processor``, a node started here runs on a processor that this process does not use.
    """
    url = os.environ.get("OPENSEARCH_URL")
    if url:
        yield url
        return
    processors = os.sched_getaffinity(0)
    with TemporaryDirectory(prefix="bench-node-") as home:
        if separate_processor:
            # Processes inherit the affinity when they start.
            os.sched_setaffinity(0, {min(processors)})
        try:
            with OpenSearchNode(Path(home)) as node:
                if separate_processor:
                    os.sched_setaffinity(0, processors - {min(processors)})
                yield node.url
        finally:
            os.sched_setaffinity(0, processors)


def has_separate_processor() -> bool:
    """Return whether a cluster can run on a separate processor."""
    return "OPENSEARCH_URL" not in os.environ and len(os.sched_getaffinity(0)) > 1


@contextmanager
def synthetic_sync(
    name: str, items: int, *, separate_processor: bool = False
) -> Iterator[tuple[Sync, RuntimeSettings]]:
    """Yield a Sync of a synthetic table with this number of songs, and the settings for it."""
    with (
        TemporaryDirectory(prefix="bench-") as directory,
        search_cluster(separate_processor=separate_processor) as url,
        LocalStack(Path(directory), opensearch_url=url) as stack,
        synthetic_table(stack.endpoints.dynamodb, name, items) as table_url,
    ):
        create_table(clients.dynamodb(RuntimeSettings(dynamodb_url=stack.endpoints.dynamodb)), name)
        settings = RuntimeSettings(dynamodb_url=table_url, opensearch_url=url, dead_letters=f"file:{directory}/letters")
        yield Sync(table=name, index=name, mappings=MAPPINGS, settings=SETTINGS), settings
