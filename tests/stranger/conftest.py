"""What a stranger has: an empty folder, a DynamoDB on this machine, and a real OpenSearch."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from dynadex import clients
from dynadex.local.stack import LocalStack
from dynadex.settings import RuntimeSettings
from tests.process.processes import commands_in
from tests.stranger.observations import create
from tests.stranger.walk import Walk


@pytest.fixture
def walk(tmp_path_factory: pytest.TempPathFactory, opensearch_url: str) -> Iterator[Walk]:
    """A table that is full, a folder that is empty, and a search cluster that has nothing of this run's name."""
    folder, table = tmp_path_factory.mktemp("stranger"), f"Birds-{os.getpid()}"
    with LocalStack(tmp_path_factory.mktemp("stack"), opensearch_url=opensearch_url) as stack:
        settings = RuntimeSettings(dynamodb_url=stack.endpoints.dynamodb, opensearch_url=opensearch_url)
        create(clients.dynamodb(settings), table)
        # A worker that is stopped hands over, and a rebuild begins, as soon as these allow.
        quick = {"DYNADEX_WORKER_LEASE_SECONDS": "1", "DYNADEX_MAX_BATCH_SECONDS": "1"}
        with commands_in(folder, **quick) as commands:
            walk = Walk(folder, table, settings, commands)
            yield walk
            walk.remove_indexes()
